"""Write the code that each stage depends on into dvc.yaml, file by file: DVC does not follow imports, and a whole
folder as a dependency would train again after any edit. `make deps` writes; --check fails if something would change.

A stage depends on its own file and on every file of the project that it imports, directly or through others, but for
EXEMPT, which cannot change a result. Of the networks that params.yaml chooses by name it depends on the chosen one's
file, and on what any of them imports.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXEMPT = {"dbgan/utils.py", "dbgan/tracking.py", "dbgan/report.py"}
BUILD = "dbgan/models/build.py"
CODE = re.compile(r"^      - (stages|dbgan)/\S+\.py$")


def imported(path: str) -> set[str]:
    """The project's files that a file imports."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {name.replace(".", "/") + ".py" for name in names}
    return {file for file in files if file.startswith(("dbgan/", "stages/")) and (ROOT / file).is_file()} - EXEMPT


def chosen() -> set[str]:
    """The files of the networks that a parameter chooses: those that build.py names beside their names."""
    from dbgan.models.build import BLUR, DEBLUR

    return {f"dbgan/models/{name}.py" for name in [*BLUR, *DEBLUR]}


def closure(path: str) -> set[str]:
    """A file and all that it needs; the chosen networks themselves left out."""
    found, new = set(), {path}
    while new:
        file = new.pop()
        found.add(file)
        new |= imported(file) - found
    return found - chosen()


def deps(stage: str, block: str) -> list[str]:
    """The code of a stage whose part of dvc.yaml is `block`."""
    files = closure(f"stages/{stage}.py")
    templates = {f"dbgan/models/${{{key}.name}}.py" for key in ("blur_generator", "generator") if uses(block, key)}
    return sorted(files, key=lambda file: (not file.startswith("stages"), file)) + sorted(templates)


def uses(block: str, key: str) -> bool:
    """Whether a stage runs the network chosen by `key`: it makes or reads weights of that kind."""
    weights = {"blur_generator": r"models/bgan\.safetensors", "generator": r"models/dbgan\w*\.safetensors"}[key]
    return re.search(weights, block) is not None


def rewritten(text: str) -> str:
    """dvc.yaml with the lists of code as they should be."""
    head, *blocks = re.split(r"(?m)^(?=  [a-z_0-9]+:\n    cmd:)", text)
    for k, block in enumerate(blocks):
        stage = block.split(":", 1)[0].strip()
        lines = [line for line in block.split("\n") if not CODE.match(line)]
        at = lines.index("    deps:") + 1
        blocks[k] = "\n".join([*lines[:at], *(f"      - {file}" for file in deps(stage, block)), *lines[at:]])
    return head + "".join(blocks)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    path = ROOT / "dvc.yaml"
    now = path.read_text(encoding="utf-8")
    new = rewritten(now)
    if "--check" in sys.argv and new != now:
        sys.exit("dvc.yaml: the code that the stages depend on has changed; run `make deps`")
    path.write_text(new, encoding="utf-8")
