"""The pipeline on four small pairs, run once for all tests here, and copies of what it leaves."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import STAGES, files, promised, run_well


def enter(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a folder the current one and the stages' repository, tracking off."""
    folder.mkdir(parents=True, exist_ok=True)
    patch.chdir(folder)
    patch.setenv("DVC_ROOT", str(folder))
    patch.setenv("DBGAN_TRACKING", "off")
    return folder


@pytest.fixture
def inside(monkeypatch) -> Callable[[Path], Path]:
    """inside(folder): from now on the stages' current folder and repository."""
    return lambda folder: enter(folder, monkeypatch)


@pytest.fixture(scope="session")
def chain(tmp_path_factory, write_photos, write_params) -> Path:
    """A folder in which every stage ran once; it is only read."""
    with pytest.MonkeyPatch.context() as patch:
        root = enter(tmp_path_factory.mktemp("chain") / "repository", patch)
        write_photos(root / "photos")
        write_params(root / "params.yaml")
        given = set(files(root))
        for stage in STAGES:
            before = set(files(root))
            run_well(stage)
            new = set(files(root)) - before
            for path in promised(stage):
                assert {name for name in new if name == path or name.startswith(f"{path}/")}, f"{stage} left no {path}"
                new = {name for name in new if name != path and not name.startswith(f"{path}/")}
            assert not new - {"reports/report.html"}, f"{stage} left more than dvc.yaml promises"
        assert given <= set(files(root))
    return root


@pytest.fixture
def copied(tmp_path, inside, chain) -> Path:
    """A copy of the finished chain, as current folder, to change at will."""
    return inside(shutil.copytree(chain, tmp_path / "repository"))
