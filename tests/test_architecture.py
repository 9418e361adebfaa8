"""The rules that keep the pipeline honest: imports point one way, and dvc.yaml lists all that a result depends on."""

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

from dbgan import settings
from dbgan.models.build import BLUR, DEBLUR

ROOT = Path(__file__).parents[1]
# These cannot change a result, so must not cause a training; what is fetched is known by its digest.
NO_EFFECT = {f"dbgan/{name}.py" for name in ("tracking", "registry", "runtime", "processes")}
NO_EFFECT |= {f"dbgan/data/{name}.py" for name in ("fetch", "transfer", "answers")}
TOP = {f"dbgan/{name}.py" for name in ("params", "runtime", "processes", "checkpoint", "tracking", "registry")}
MORE = {"dbgan/training": ["dbgan/losses"]}  # the one arrow between folders
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
NETWORKS = {f"dbgan/models/{name}.py" for name in [*DEBLUR, *BLUR]}
CHOICES = {"generator": "${generator.name}", "blur_generator": "${blur_generator.name}"}
PACKAGE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "dbgan").rglob("*.py"))
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").glob("*.py"))
NO_EFFECT |= {path for path in PACKAGE if path.startswith(("dbgan/report.py", "dbgan/reporting/"))}  # shows results
NO_EFFECT -= {"dbgan/reporting/results.py"}  # reads the curves that the evaluation draws
FILES = [path for path in [*PACKAGE, *SCRIPTS] if not path.endswith("__init__.py")]


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def modules(path: str) -> set[str]:
    """All dotted names that a file imports anywhere, also within functions."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imports(path: str) -> set[str]:
    """The project files that a file imports itself."""
    return {file for name in modules(path) if (file := name.replace(".", "/") + ".py") in FILES}


def needs(path: str) -> set[str]:
    """The project files that a file imports, directly or through others."""
    found: set[str] = set()
    ahead = {path}
    while ahead:
        found |= ahead
        ahead = set().union(*map(imports, ahead)) - found
    return found - {path}


def folder(path: str) -> str:
    return path.rpartition("/")[0]


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("dbgan/")])
def test_a_file_of_the_package_imports_only_what_lies_below_it(path):
    if path in TOP:
        allowed = TOP
    elif folder(path) == "dbgan":  # a command for users, such as __main__.py, wires like a stage
        allowed = {file for file in FILES if file.startswith("dbgan/")}
    else:
        near = [folder(path), *MORE.get(folder(path), [])]
        allowed = {file for file in FILES if folder(file) in near}
    assert imports(path) <= allowed
    assert not any(name.partition(".")[0] in ("stages", "tests") for name in modules(path))


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("stages/")])
def test_a_stage_imports_no_stage(path):
    assert not any(name.partition(".")[0] in ("stages", "tests") for name in modules(path))


@pytest.mark.parametrize("path", FILES)
def test_modules_are_imported_by_their_full_path(path):
    """`from dbgan import data` would hide from `needs` which file is meant."""
    packages = {folder(file).replace("/", ".") for file in PACKAGE}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module in packages:
            for alias in node.names:
                assert f"{node.module}.{alias.name}".replace(".", "/") + ".py" in FILES


@pytest.mark.parametrize("path", FILES)
def test_every_name_imported_from_the_project_is_there(path):
    """Imports within functions fail only when they run."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (file := node.module.replace(".", "/") + ".py") in FILES:
            assert {alias.name for alias in node.names} <= defined(file), node.module


def defined(path: str) -> set[str]:
    """The names that a module itself gives its top level."""
    names = set()
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


def script(stage: str) -> str:
    python, flag, module, *_ = STAGES[stage]["cmd"].split()
    assert (python, flag) == ("python", "-m")
    return module.replace(".", "/") + ".py"


def test_each_stage_has_a_script_of_its_name_and_each_script_a_stage():
    assert {stage: script(stage) for stage in STAGES} == {stage: f"stages/{stage}.py" for stage in STAGES}
    assert {f"stages/{stage}.py" for stage in STAGES} == {path for path in FILES if path.startswith("stages/")}


def code(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_list_exactly_the_code_that_a_stage_needs(stage):
    """All but the networks, of which only the chosen ones are needed."""
    listed = [dep for dep in code(stage) if "$" not in dep and dep not in NETWORKS]
    assert len(set(listed)) == len(listed)
    assert set(listed) == {script(stage), *needs(script(stage))} - NO_EFFECT - NETWORKS


@pytest.mark.parametrize(
    ("stage", "networks"),
    [
        ("download", []),
        ("build_h5", []),
        ("train_bgan", ["dbgan", CHOICES["blur_generator"]]),  # the paper's own is the other half of its cycle
        ("synthesize", [CHOICES["blur_generator"]]),
        ("pretrain", [CHOICES["generator"]]),
        ("finetune", [CHOICES["generator"]]),
        ("evaluate", [CHOICES["blur_generator"], CHOICES["generator"]]),
    ],
)
def test_deps_list_the_networks_that_a_stage_may_build(stage, networks):
    """By a template: editing one network does not train again with another."""
    assert [dep for dep in code(stage) if "$" in dep or dep in NETWORKS] == [f"dbgan/models/{n}.py" for n in networks]


def test_a_network_needs_no_other_and_what_it_needs_is_always_listed():
    for network in NETWORKS:
        assert not needs(network) & NETWORKS
        for stage in STAGES:
            assert needs(network) <= set(code(stage)) or "dbgan/models/generators.py" not in code(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_files_in_the_command_are_deps_or_outs(stage):
    _, _, _, *arguments = STAGES[stage]["cmd"].split()
    known = {*STAGES[stage]["deps"], *outputs(stage)}
    for argument in arguments:
        assert any(path == argument or path.startswith(f"{argument}/") for path in known), argument


def outputs(stage: str) -> set[str]:
    listed = [entry for kind in ("outs", "metrics", "plots") for entry in STAGES[stage].get(kind, [])]
    return {path for entry in listed for path in ([entry] if isinstance(entry, str) else entry)}


def test_data_that_a_stage_reads_comes_from_a_stage_before_it():
    made: set[str] = set()
    for stage, entry in STAGES.items():
        read = {dep for dep in entry["deps"] if not dep.endswith(".py")}
        assert read <= made, stage
        assert not outputs(stage) & made, stage
        made |= outputs(stage)


def used(stage: str) -> list[str]:
    """The keys that a stage says it depends on: the last argument of tracking.run, a list or the name of one; a
    section named by a choice is one of CHOSEN's."""
    constants = {
        target.id: node.value
        for node in tree(script(stage)).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = [node for node in ast.walk(tree(script(stage))) if isinstance(node, ast.Call)]
    (last,) = [call.args[2] for call in calls if ast.unparse(call.func) == "tracking.run"]
    chosen = [text for name, text in CHOSEN.items() if f"[*USED, {name}]" in ast.unparse(tree(script(stage)))]
    return ast.literal_eval(constants["USED" if chosen else last.id] if isinstance(last, ast.Name) else last) + chosen


def read_keys(stage: str) -> set[str]:
    """The keys that a stage takes out of params.yaml, by settings.section and settings.value."""
    keys = set()
    for call in (node for node in ast.walk(tree(script(stage))) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in ("settings.section", "settings.value"):
            extra = (ast.literal_eval(k.value) for k in call.keywords)
            keys |= {CHOSEN.get(ast.unparse(call.args[1])) or ast.literal_eval(call.args[1]), *extra}
    return keys


CHOSEN = {"chosen": "<generator>", "f'{chosen}_network'": "<blur_generator>_network"}  # sections named by a choice


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_says_exactly_which_keys_it_reads(stage):
    assert set(used(stage)) == read_keys(stage)


@pytest.mark.parametrize("scale", settings.SCALES)
@pytest.mark.parametrize("stage", STAGES)
def test_dvc_watches_exactly_the_keys_that_a_stage_uses(stage, scale):
    top, scaled = set(PARAMS), set(PARAMS["scales"][scale])
    expected = {key for key in used(stage) if key in top}
    expected |= {f"scales.${{scale}}.{key}" for key in used(stage) if key in scaled}
    for choice, template in CHOICES.items():
        expected |= {
            f"scales.${{scale}}.{key.replace(f'<{choice}>', template)}" for key in used(stage) if f"<{choice}>" in key
        }
    assert set(used(stage)) <= top | scaled | set(CHOSEN.values())
    assert set(STAGES[stage].get("params", [])) == expected


@pytest.mark.parametrize("scale", settings.SCALES)
def test_each_choice_of_a_generator_has_its_section_at_each_scale(scale):
    assert {*DEBLUR, *(f"{name}_network" for name in BLUR)} <= set(PARAMS["scales"][scale])
    assert PARAMS["generator"]["name"] in DEBLUR
    assert PARAMS["blur_generator"]["name"] in BLUR


@pytest.mark.parametrize("path", [path for path in [*PACKAGE, *SCRIPTS] if path.endswith("__init__.py")])
def test_package_files_are_empty(path):
    assert (ROOT / path).read_text() == ""


@pytest.mark.parametrize("path", FILES)
def test_a_file_says_what_it_is_for_and_stays_short(path):
    assert ast.get_docstring(tree(path))
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize("path", FILES)
def test_what_others_may_use_says_what_it_does(path):
    kinds = ast.FunctionDef | ast.ClassDef
    public = [node for node in tree(path).body if isinstance(node, kinds) and not node.name.startswith("_")]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_a_script_shows_the_command_that_runs_it():
    for stage in STAGES:
        shown = " ".join(ast.get_docstring(tree(script(stage))).split())
        assert " ".join(STAGES[stage]["cmd"].split()) in shown


def test_only_tracking_opens_mlflow():
    """registry.py gets what tracking.py opened; serving.py is loaded by MLflow itself and answers in its terms."""
    assert {path for path in FILES if any(name.partition(".")[0] == "mlflow" for name in modules(path))} == {
        "dbgan/tracking.py",
        "dbgan/registry.py",
        "dbgan/serving.py",
    }


def test_nothing_imports_what_only_mlflow_loads():
    """So that the pipeline runs where MLflow is missing."""
    assert not [path for path in FILES if "dbgan/serving.py" in imports(path)]


def test_only_frames_converts_between_levels_and_floats():
    """x / 255 and x * 255 stand nowhere else; a constant such as SSIM's (0.01 * 255) ** 2 converts no image."""

    def converts(node: ast.AST) -> bool:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div | ast.Mult):
            return False
        sides = [side.value if isinstance(side, ast.Constant) else None for side in (node.left, node.right)]
        return None in sides and 255 in sides

    assert {path for path in FILES if any(map(converts, ast.walk(tree(path))))} == {"dbgan/data/frames.py"}


def test_these_checks_see_imports_of_every_kind(tmp_path):
    """A check that finds nothing passes always: here it must find."""
    assert {"dbgan/data/listings.py", "dbgan/data/sources.py", "dbgan/data/shake.py"} <= imports("stages/download.py")
    assert "dbgan/models/rrdb.py" in needs("stages/pretrain.py") - imports("stages/pretrain.py")
    assert used("pretrain") and used("download")
