"""The leavings of a small run, written as the stages write them, and the page made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_run import EVIL, ROOT, SCORES

from dbgan import outputs, settings
from dbgan import panels as pictures
from dbgan.reporting import page


@pytest.fixture(scope="session")
def write_results(photo) -> Callable[[Path], Path]:
    """write_results(root): metrics/ and results/panels/ of a run of 4 test frames, one of them with an evil name."""

    def write(root: Path) -> Path:
        metrics, panels = root / "metrics", root / "results" / "panels"
        outputs.write_json(metrics / "evaluate.json", SCORES | {"color_shift": [0.4, -0.25, 0.0], "bgan_realism": 0.2})
        outputs.write_json(metrics / "finetune.json", {"psnr": 27.5, "step": 40})
        names = ["park/a", "park/b", EVIL, "d"]
        rows = [{"frame": name, "psnr_blurred": 28.0, "psnr": 28.0 + i / 2} for i, name in enumerate(names)]
        outputs.write_csv(metrics / "frames.csv", rows)
        for stage, column in (("train_bgan", "cycle_sharp"), ("pretrain", "content"), ("finetune", "psnr")):
            curve = [{"step": 10 * n, column: 1 / n, "critic": n % 3} for n in range(1, 31)]
            outputs.write_csv(metrics / f"{stage}_curve.csv", curve)
        for kind, count in (("test", 3), ("real", 2), ("bgan", 4)):
            for i in (0, 2):
                pictures.save_panel(
                    panels / f"{kind}_{i:04d}.png", [photo(100 * count + 10 * i + k) for k in range(count)]
                )
        return root

    return write


@pytest.fixture(scope="session")
def params() -> dict[str, Any]:
    """The shipped parameters, loaded."""
    return settings.load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def render(params) -> Callable[[Path], str]:
    """render(root): the page of the results below `root`, of which there is no dvc.lock."""
    return lambda root: page.render(root / "metrics", root / "results" / "panels", params, {"stages": {}}, root)
