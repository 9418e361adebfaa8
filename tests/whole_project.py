"""A tiny copy of the whole project, for the tests that run commands in it as users do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES = ["download", "build_h5", "train_bgan", "synthesize", "pretrain", "finetune", "evaluate"]


def run(project: Path, *command: str, tracking: bool = False, code: int = 0) -> str:
    """A command in the project, as a user types it, that ends with `code`; its output."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_", "DBGAN_", "GIT_"))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(project.parent / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(project.parent / "global"),
        "DBGAN_TRACKING": "on" if tracking else "off",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "CUDA_VISIBLE_DEVICES": "",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def ran(output: str) -> list[str]:
    """The stages that DVC says it ran."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def committed(folder: Path, write_photos: Callable, write_params: Callable) -> Path:
    """A copy of the project in `folder`, committed, its photographs and settings tiny, after its first `dvc repro`."""
    for name in ("dbgan", "stages", "ablations"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    write_photos(folder.parent / "photos")
    write_params(folder / "params.yaml", {"data.root": "../photos"})
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-qm", "tiny")
    assert ran(run(folder, "dvc", "repro", tracking=True)) == STAGES
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-qm", "results")
    return folder
