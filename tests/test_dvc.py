"""dvc.yaml lists all that a result depends on; imports point one way (import-linter, `make check`, keeps the rest)."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from dbgan import settings
from dbgan.models.build import BLUR

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
CHOICES = {"${generator.name}": "generator"}


def code(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")]


def made(stage: str) -> set[str]:
    listed = [entry for kind in ("outs", "metrics", "plots") for entry in STAGES[stage].get(kind, [])]
    return {path for entry in listed for path in ([entry] if isinstance(entry, str) else entry)}


def test_the_lists_of_code_are_those_that_make_deps_writes():
    subprocess.run([sys.executable, ".ci/deps.py", "--check"], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("stage", "needed", "not_needed"),
    [
        ("download", {"dbgan/data/camera_shake.py"}, {"dbgan/training/loop.py", "dbgan/utils.py"}),
        ("train_bgan", {f"dbgan/models/{n}.py" for n in BLUR} | {"dbgan/losses.py"}, {"dbgan/models/nafnet.py"}),
        ("pretrain", {"dbgan/models/${generator.name}.py", "dbgan/models/rrdb.py"}, {"dbgan/models/nafnet.py"}),
        ("evaluate", {"dbgan/metrics.py", "dbgan/use/inference.py", "dbgan/outputs.py"}, {"dbgan/training/loop.py"}),
    ],
)
def test_the_rule_of_make_deps_finds_what_it_should(stage, needed, not_needed):
    assert needed <= set(code(stage))
    assert not not_needed & set(code(stage))


def test_data_that_a_stage_reads_comes_from_a_stage_before_it():
    known: set[str] = set()
    for stage, entry in STAGES.items():
        assert {dep for dep in entry["deps"] if not dep.endswith(".py")} <= known, stage
        assert not made(stage) & known, stage
        known |= made(stage)
        arguments = entry["cmd"].split()[3:]
        paths = {*entry["deps"], *made(stage)}
        assert all(any(p == argument or p.startswith(f"{argument}/") for p in paths) for argument in arguments), stage


def used(stage: str) -> set[str]:
    """The keys of params.yaml that a stage's file says it depends on: USED, or what it gives tracking.run."""
    tree = ast.parse((ROOT / f"stages/{stage}.py").read_text())
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    top = ast.literal_eval(constants["TOP"]) if "TOP" in constants else ()
    elements = constants["USED"].elts
    plain = {element.value for element in elements if isinstance(element, ast.Constant)}
    return plain | (set(top) if any(isinstance(element, ast.Starred) for element in elements) else set())


@pytest.mark.parametrize("scale", settings.SCALES)
@pytest.mark.parametrize("stage", STAGES)
def test_dvc_watches_exactly_the_keys_that_a_stage_uses(stage, scale):
    listed = STAGES[stage].get("params", [])
    scaled = {key.removeprefix("scales.${scale}.") for key in listed if key.startswith("scales.")}
    needed = used(stage) | (set(BLUR) if "blur_generator" in used(stage) else set())  # each scale chooses its own
    top = {
        key if key.startswith("$") or key in needed else key.partition(".")[0]
        for key in listed
        if not key.startswith("scales.")
    }
    for key in needed:
        assert key in top or key not in PARAMS, f"{key} stands at the top of params.yaml"
        assert key in scaled or key not in PARAMS["scales"][scale], f"scales.{scale}.{key}"
    assert top | scaled == needed | {key for key in listed if key in CHOICES}
    for template in top & CHOICES.keys():
        assert template in scaled
        assert CHOICES[template] in top


def test_a_script_shows_the_command_that_runs_it():
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"} == set(STAGES)
    for stage in STAGES:
        shown = " ".join(ast.get_docstring(ast.parse((ROOT / f"stages/{stage}.py").read_text())).split())
        assert " ".join(STAGES[stage]["cmd"].split()) in shown


def test_only_photos_converts_between_levels_and_floats():
    """x / 255 and x * 255 stand nowhere else; a constant such as SSIM's (0.01 * 255) ** 2 converts no image.

    But JPEG's quantisation is of levels, and a strength of noise, a
    change and what realism measures are told in levels.
    """

    def converts(node: ast.AST) -> bool:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div | ast.Mult):
            return False
        sides = [side.value if isinstance(side, ast.Constant) else None for side in (node.left, node.right)]
        return None in sides and 255 in sides

    files = [*(ROOT / "dbgan").rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix() for path in files if any(map(converts, ast.walk(ast.parse(path.read_text()))))
    }
    in_levels = {f"dbgan/{name}.py" for name in ("realism", "synthesis", "training/bgan", "data/development")}
    assert found == {"dbgan/data/photos.py"} | in_levels


def test_stages_run_with_the_interpreter_beside_dvc_without_activation(tmp_path):
    """As .venv/bin/dvc starts them: `python` by the PATH."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    shutil.copy(ROOT / ".ci" / "venv.pth", packages)
    assert "cp .ci/venv.pth" in (ROOT / "Makefile").read_text()
    code = "import subprocess; subprocess.run(['python', '-c', 'import sys; sys.stdout.write(sys.prefix)'])"
    command = [tmp_path / "venv" / "bin" / "python", "-c", code]
    run = subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, text=True, check=True)
    assert run.stdout == str(tmp_path / "venv")


def test_the_readme_s_way_to_give_a_path_with_blanks_and_brackets(tmp_path):
    (line,) = re.findall(r"dvc exp run .*\[1\].*", (ROOT / "README.md").read_text())
    arguments = shlex.split(line, comments=True)[3:]
    shutil.copy(ROOT / "params.yaml", tmp_path)
    apply_overrides(tmp_path / "params.yaml", [argument for argument in arguments if argument != "-S"])
    assert settings.read(tmp_path / "params.yaml")["data"]["root"] == "/my photos/set [1]"
