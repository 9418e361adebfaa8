"""Write the code that each stage depends on into dvc.yaml; --check fails if something would change.

A stage depends on its own file and on every file of the project that it imports, directly or through others, but for
EXEMPT, which cannot change a result. Of the deblurring networks, which build.py imports and params.yaml chooses by
name, it depends on the chosen one's file and on what any of them imports; on all of BGAN's, which are small and which
each scale chooses, where its weights count; in its training also on the other half of the cycle.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXEMPT = {"dbgan/utils.py", "dbgan/tracking.py", "dbgan/report.py", "dbgan/data/disk.py"}
BUILD = "dbgan/models/build.py"
BLUR = {f"dbgan/models/{name}.py" for name in ("bgan", "camera", "sftnet_blur")}
OTHER_HALF = {"train_bgan": {"dbgan/models/dbgan.py", "dbgan/models/sftnet.py"}}


def imported(path: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names = {f"{node.module}{name}" for node in imports for name in ["", *(f".{alias.name}" for alias in node.names)]}
    files = {name.replace(".", "/") + ".py" for name in names}
    return {file for file in files if file.startswith(("dbgan/", "stages/")) and (ROOT / file).is_file()} - EXEMPT


def code(stage: str, block: str) -> list[str]:
    networks = {file for file in imported(BUILD) if file.startswith("dbgan/models/")}
    found, ahead = set[str](), {f"stages/{stage}.py"}
    while ahead:
        found |= ahead
        ahead = set().union(*map(imported, ahead)) - found
    files = (found - networks) | OTHER_HALF.get(stage, set())
    if BUILD in found:
        files |= set().union(*map(imported, networks))
    if "models/bgan.safetensors" in block:
        files |= BLUR
    templates = ["dbgan/models/${generator.name}.py"] if re.search(r"models/dbgan\w*\.safetensors", block) else []
    return sorted(files, key=lambda file: (not file.startswith("stages"), file)) + templates


def rewritten(text: str) -> str:
    head, *blocks = re.split(r"(?m)^(?=  [a-z_0-9]+:\n    cmd:)", text)
    for k, block in enumerate(blocks):
        stage = block.split(":", 1)[0].strip()
        lines = [line for line in block.split("\n") if not re.match(r"^      - (stages|dbgan)/\S+\.py$", line)]
        at = lines.index("    deps:") + 1
        blocks[k] = "\n".join([*lines[:at], *(f"      - {file}" for file in code(stage, block)), *lines[at:]])
    return head + "".join(blocks)


if __name__ == "__main__":
    path = ROOT / "dvc.yaml"
    new = rewritten(now := path.read_text(encoding="utf-8"))
    if "--check" in sys.argv and new != now:
        sys.exit("dvc.yaml: the code that the stages depend on has changed; run `make deps`")
    path.write_text(new, encoding="utf-8")
