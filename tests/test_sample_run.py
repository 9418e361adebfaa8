"""The floors of quality of the sample run, as metrics/evaluate.json has it."""

import json
from pathlib import Path

import pytest


@pytest.mark.slow  # after `make repro` in CI
def test_the_sample_run_holds_its_floors():
    found = json.loads((Path(__file__).parents[1] / "metrics" / "evaluate.json").read_text())
    assert found["psnr"] >= max(found["psnr_blurred"] + 0.3, found["psnr_pretrained"] - 0.2)
    assert found["psnr_real"] >= found["psnr_real_blurred"] + 0.2  # real blur, which no pair shows
    assert found["ssim"] > found["ssim_blurred"]
    assert max(map(abs, found["color_shift"])) < 1 and found["flat_deviation"] < 2
    # BGAN blurs as the real camera does: no hatch, no cast, the kernel's shape, and not one blur for all noise maps.
    assert found["periodic_peak_bgan"] < 3 * found["periodic_peak_real_blur"]
    shifts = zip(found["bgan_color_shift"], found["real_color_shift"], strict=True)
    assert max(abs(bgan - real) for bgan, real in shifts) < 2
    assert found["kernel_distance_bgan"] < 0.5 * found["kernel_distance_sharp"]
    assert found["bgan_realism"] <= 0.3 and found["bgan_diversity"] >= 2
