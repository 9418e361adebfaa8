"""Ends with 1 when the sample run misses a floor of quality: python .ci/floors.py metrics/evaluate.json"""

import json
import sys
from pathlib import Path

found = json.loads(Path(sys.argv[1]).read_text())
floors = {
    "psnr >= psnr_blurred + 0.5": found["psnr"] >= found["psnr_blurred"] + 0.5,
    "ssim > ssim_blurred": found["ssim"] > found["ssim_blurred"],
    "psnr >= psnr_pretrained - 0.2": found["psnr"] >= found["psnr_pretrained"] - 0.2,
    "|color_shift| < 1/255": max(map(abs, found["color_shift"])) < 1,
    "flat_deviation < 2/255": found["flat_deviation"] < 2,
    "|bgan_color_shift| < 2/255": max(map(abs, found["bgan_color_shift"])) < 2,
    "bgan_realism <= 0.5": found["bgan_realism"] <= 0.5,
    "bgan_diversity >= 0.5/255": found["bgan_diversity"] >= 0.5,
}
sys.stdout.writelines(f"{'holds ' if holds else 'MISSED'} {floor}\n" for floor, holds in floors.items())
sys.exit(not all(floors.values()))
