"""The floors of quality of the sample run, as metrics/evaluate.json has it."""

import json
from pathlib import Path

import pytest


@pytest.mark.slow  # after `make repro` in CI
def test_the_sample_run_holds_its_floors():
    found = json.loads((Path(__file__).parents[1] / "metrics" / "evaluate.json").read_text())
    assert found["psnr"] >= max(found["psnr_blurred"] + 0.5, found["psnr_pretrained"] - 0.2)
    assert found["ssim"] > found["ssim_blurred"]
    assert max(map(abs, found["color_shift"])) < 1
    assert max(map(abs, found["bgan_color_shift"])) < 2
    assert found["flat_deviation"] < 2 and found["bgan_realism"] <= 0.5
    assert found["bgan_diversity"] >= 0.5
