"""What all tests share: a place apart for each, parameters and photographs small enough for seconds."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from dbgan import settings

ROOT = Path(__file__).parents[1]
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # equal bytes are promised on the CPU; read when torch is first used

NETWORK = {"width": 4, "blocks": 1, "growth": 4}
SFT = {"width": 2, "blocks": 1, "condition_width": 4, "shared_channels": 2}
TRAINING = {"steps": 4, "accumulate": 1, "patch": 32, "log_every": 2, "save_every": 2}
COMMON = {"batch": 2, "precision": "float32"}  # which every machine has
TINY = {
    "data": {"source": "folder", "root": "photos", "min_side": 32, "max_rejected": 0},
    "crop": {"side": 64, "stride": 64},
    "bgan": {"downsample": 2},
    "sftnet": {"condition_channels": 2},
    "train_bgan": TRAINING | {"batch": 2, "critic_width": 4, "precision": "float32"},
    "pretrain": COMMON,
    "finetune": COMMON,
    "synthesize": {"batch": 3},
    "evaluate": {"margin": 4, "crops": 3, "panels": 2},
    "scales.sample": {"threads": 1},
    "scales.sample.perceptual": {"width": 4},
    "scales.sample.bgan": NETWORK,
    "scales.sample.sftnet_blur": SFT,
    "scales.sample.synthesize": {"noise_maps": 2},
    "scales.sample.dbgan": NETWORK | {"downsample": 2},
    "scales.sample.srresnet": {"width": 2, "blocks": 1},
    "scales.sample.deblurgan": {"width": 2, "blocks": 1},
    "scales.sample.sftnet": SFT,
    "scales.sample.mprnet": {"width": 4, "unet_growth": 0, "orsnet_growth": 0, "blocks": 1},
    "scales.sample.nafnet": {"width": 2, "encoder_blocks": [1], "decoder_blocks": [1], "train_size": 32},
    "scales.sample.pretrain": TRAINING,
    "scales.sample.finetune": TRAINING | {"critic_width": 4},
}


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees this repository's state and records, or the settings of the one who runs it."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TRACEBACK", "WORKERS", "TORCHRUN", "DEVICE"):
        monkeypatch.delenv(f"DBGAN_{name}", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DBGAN_TRACKING", "off")


@pytest.fixture(scope="session")
def write_params() -> Callable[..., Path]:
    """write_params(path, {"dotted.key": value}, tiny=True): the shipped params.yaml, made tiny, with these changes."""

    def write(path: Path, changes: dict[str, Any] | None = None, tiny: bool = True) -> Path:
        values = settings.read(ROOT / "params.yaml")
        small = {f"{name}.{key}": v for name, keys in TINY.items() for key, v in keys.items()} if tiny else {}
        for dotted, new in (small | (changes or {})).items():
            *sections, key = dotted.split(".")
            at = values
            for section in sections:
                at = at[section]
            assert key in at, f"the shipped params.yaml has no {dotted}"
            at[key] = new
        path.write_text(yaml.safe_dump(values))
        return path

    return write


@pytest.fixture(scope="session")
def photo() -> Callable[..., np.ndarray]:
    """photo(number, height, width): a random texture with coarse and fine detail, (H, W, 3) uint8."""

    def make(number: int, height: int = 72, width: int = 64) -> np.ndarray:
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 156, (height // 8 + 1, width // 8 + 1, 3))
        fine = rng.integers(0, 100, (height, width, 3))
        return (np.kron(coarse, np.ones((8, 8, 1), int))[:height, :width] + fine).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def write_photos(photo) -> Callable[..., Path]:
    """write_photos(folder): 4 training pairs, 2 test pairs, 2 real blurs in the layout of data.source folder."""

    def blurred(image: np.ndarray) -> np.ndarray:
        return ((image.astype(int) + np.roll(image, 1, 0) + np.roll(image, 1, 1)) // 3).astype(np.uint8)

    def write(folder: Path, real: int = 2) -> Path:
        number = 0
        for part, count in (("train", 4), ("test", 2)):
            for i in range(count):
                number += 1
                for half, image in (("sharp", photo(number)), ("blur", blurred(photo(number)))):
                    path = folder / part / half / f"{i}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(image).save(path)
        for i in range(real):
            path = folder / "real_blur" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(blurred(blurred(photo(100 + i)))).save(path)
        return folder

    return write
