"""Every training, synthesis and restoring with fake CUDA tensors: what is left on the CPU, and what a step waits for.

The cases run in a process of their own, into which a library is loaded before PyTorch: this file, as a script.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from unittest.mock import patch

import fake_cuda
import numpy as np
import pytest
import torch

from benchmarks.launches import Launches
from dbgan import synthesis
from dbgan.data import batches, photos
from dbgan.losses import OBJECTIVES
from dbgan.models.build import BLUR, DEBLUR
from dbgan.training import bgan, loop
from dbgan.training.state import State
from dbgan.use import inference

ROOT = Path(__file__).parents[2]
CUDA = torch.device("cuda")
CRITICS = ("vgg", "patch", "blur")
OPTIONS = {"ema": 0.9, "clip": 0.1, "checkpointing": True}


def train(name: str, network: str = "", count: bool = False, **changes) -> list:
    """The blocking copies of one update, or its launches; `network` replaces the generator of the toy training."""
    import tiny
    import toy_trainings as toy

    one = {"steps": 1, "log_every": 1, "save_every": 1, "accumulate": 1, "precision": "bfloat16", "pixel_steps": 0}
    one |= {"pixel_steps": 1} if name == "paired" else {}
    keys = loop.TrainParams.model_fields if name in ("pretrain", "finetune") else toy.BGAN
    training, p = toy.TRAININGS[name](**({key: one[key] for key in one if key in keys} | changes))
    if network:
        training.networks[next(iter(training.networks))] = tiny.build(network)

    class Bytes:
        def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
            images = toy.Photographs(name)[number]
            return tuple((255 * image).byte().movedim(1, -1).contiguous() for image in images)

    counts, update = [], loop.update

    def counted(*arguments) -> loop.Terms:
        with Launches() as launches:
            terms = update(*arguments)
        counts.append(launches)
        return terms

    with fake_cuda.mode(), patch.object(loop, "update", counted), patch.object(loop, "stream", batches.stream):
        for moved in ("features", "tables"):
            if hasattr(training, moved):
                setattr(training, moved, getattr(training, moved).to(CUDA))
        loop.fit(training, Bytes(), p, 5, CUDA, State(Path("none")), lambda row, n: None)
    (found,) = counts
    assert found.kernels.total() > 50
    return [found.kernels.total()] if count else sorted(f"{name} x {times}" for name, times in found.blocking.items())


def launches() -> list[int]:
    """Launches of an update without and with `one_forward`."""
    return [train("pretrain", accumulate=4, one_forward=merged, count=True)[0] for merged in (False, True)]


def synthesize(network: str) -> list[str]:
    import tiny

    class Crops:
        def rows(self, name: str, which: slice) -> np.ndarray:
            return np.zeros((2, 32, 32, 3), np.uint8)

    blur = tiny.build(network).eval()
    with fake_cuda.mode(), patch.object(photos, "to_uint8", lambda images: images), Launches(), torch.no_grad():
        blur.to(CUDA)
        bgan = synthesis.Bgan(blur, Crops(), torch.ones(3, 2, 8, 8).to(CUDA), 1)
        bgan.noise = 2.0
        assert [blurred.device.type for _, blurred in bgan.made(range(2), 2)] == ["cuda"] * 2
    return []


def restore(network: str, **options) -> list[str]:
    import tiny

    seen, made = [], tiny.build(network).eval()

    def to_levels(image: torch.Tensor, dtype: np.dtype) -> np.ndarray:
        seen.append(image.device.type)
        return np.zeros((*image.shape[1:], image.shape[0]), dtype)

    with fake_cuda.mode(), patch.object(photos, "to_levels", to_levels), patch.object(inference, "reach", lambda *_: 8):
        made.to(CUDA)
        noise = (lambda like: tiny.noise_of(made, like)) if network in BLUR else None
        with Launches():
            inference.restore(made, np.zeros((64, 48, 3), np.uint8), 8, device=CUDA, noise=noise, **options)
    assert set(seen) == {"cuda"}
    return []


def noise_on_the_cpu() -> list[str]:
    from toy_trainings import BlurGenerator

    def draw_noise(self, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(len(like), 4, *like.shape[-2:], generator=generator)

    with patch.object(BlurGenerator, "draw_noise", draw_noise):
        return train("paper")


def value_in_a_loss(value: Callable[[torch.Tensor], torch.Tensor]) -> list[str]:
    with patch.object(bgan, "change", lambda fake, sharp: value(fake)):
        return train("paper")


PLANTED = {
    "noise on the CPU": noise_on_the_cpu,
    "item": partial(value_in_a_loss, lambda fake: fake.new_zeros(()) + fake.mean().item()),
    "new_tensor": partial(value_in_a_loss, lambda fake: fake.new_tensor(1.0)),
    "tensor": partial(value_in_a_loss, lambda fake: torch.tensor(1.0, device=fake.device)),
    "copy": partial(value_in_a_loss, lambda fake: torch.ones(()).to(fake.device)),
}
CASES: dict[str, Callable[[], list]] = {
    **{
        f"paper, {critic}, {objective}": partial(
            train, "paper", "camera", critic=critic, objective=objective, critic_luminance=objective != "relativistic"
        )
        for critic, objective in product(CRITICS, OBJECTIVES)
    },
    **{f"finetune, {critic}": partial(train, "finetune", critic=critic, objective="wgan-gp") for critic in CRITICS},
    **{f"cycle, {critic}": partial(train, "cycle", critic=critic, objective="wgan-gp") for critic in CRITICS},
    "paired": partial(train, "paired"),
    **{f"pretrain, {name}": partial(train, "pretrain", name, accumulate=2) for name in DEBLUR},
    "pretrain, options": partial(train, "pretrain", accumulate=2, **OPTIONS),
    "finetune, options": partial(train, "finetune", "mprnet", accumulate=2, **OPTIONS),
    **{f"paper, {name}": partial(train, "paper", name, **OPTIONS) for name in BLUR},
    **{f"synthesize, {name}": partial(synthesize, name) for name in BLUR},
    **{f"restore, {name}": partial(restore, name) for name in DEBLUR | BLUR},
    "restore, tiles": partial(restore, "dbgan", tile=32, ensemble=True),
}


def main(out: Path) -> None:
    """Write what each case finds: its blocking copies, or its error."""
    found: dict[str, list[str] | str] = {}
    for name, case in (CASES | PLANTED | {"launches": launches}).items():
        try:
            found[name] = case()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    out.write_text(json.dumps(found))


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, list[str] | str]:
    if why := fake_cuda.missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("fake_cuda")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/models"} | fake_cuda.build(folder)
    subprocess.run([sys.executable, __file__, str(folder / "found.json")], check=True, env=environment)
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_all_is_on_the_gpu_and_no_step_waits_for_it(found, case):
    assert found[case] == []


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("noise on the CPU", "two devices|cpu and cuda"),
        ("item", "_local_scalar_dense"),
        ("new_tensor", "_to_copy x 1"),
        ("tensor", "_to_copy x 1"),
        ("copy", "_to_copy x 1"),
    ],
)
def test_planted_faults_are_found(found, case, told):
    assert any(part in str(found[case]) for part in told.split("|"))


def test_one_forward_needs_at_most_half_of_the_launches(found):
    separate, merged = found["launches"]
    assert 0 < merged < separate / 2


if __name__ == "__main__":
    main(Path(sys.argv[1]))
