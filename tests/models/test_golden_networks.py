"""Our networks compute what the authors' do: equal outputs on equal weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_recipe import GOLDEN, fill, filled, largest_difference, unit_input

from dbgan.models.checkpoint_keys import dbgan_key
from dbgan.models.critics import PatchCritic, VGGCritic
from dbgan.models.dbgan import DeblurGenerator

CRITICS = np.load(Path(__file__).parents[1] / "fixtures" / "critics.npz")
CROPS = {"topleft": (slice(0, 12),) * 2, "centre": (slice(26, 38),) * 2, "bottomright": (slice(52, 64),) * 2}


def authors_critic_key(key):
    part, _, rest = key.partition(".")
    if part in ("hidden", "logit"):
        return f"classifier.{'0' if part == 'hidden' else '2'}.{rest}"
    k, _, leaf = rest.partition(".")
    place = max(3 * int(k) - 1, 0) if part == "convs" else 3 * int(k) + 3
    return f"features.{place}.{leaf}"


def basicsr_critic_key(key):
    part, _, rest = key.partition(".")
    if part in ("hidden", "logit"):
        return f"linear{'1' if part == 'hidden' else '2'}.{rest}"
    k, _, leaf = rest.partition(".")
    layer = int(k) if part == "convs" else int(k) + 1
    return f"{'conv' if part == 'convs' else 'bn'}{layer // 2}_{layer % 2}.{leaf}"


def deblurgan_critic_key(key):
    """The same places as in `authors_critic_key`, and the last conv after three norms."""
    return authors_critic_key(key).replace("features", "model").replace("classifier.2", "model.11")


@pytest.mark.parametrize(
    ("key", "shape", "gain", "first"),
    [
        ("model.0.bias", (64,), 0.5, [-0.013602448627352715, -0.03610834851861]),
        ("model.4.weight", (3, 64, 3, 3), 0.5, [-0.0016861911863088608, -0.027866046875715256]),
        ("features.9.weight", (128,), 1.7, [0.9421956539154053, 1.2075319290161133]),
    ],
)
def test_the_recipe_draws_the_published_weights(key, shape, gain, first):
    assert fill(key, shape, gain).ravel()[:2].tolist() == first


def test_deblurring_generator_is_the_authors_released_one():
    network = filled(DeblurGenerator(64, 16, 32, 1), lambda key: dbgan_key(key, {}), gain=0.5)
    assert sum(p.numel() for p in network.parameters()) == 11_588_163
    blurred = unit_input((1, 3, 64, 64))
    with torch.no_grad():
        found = {"out": network(blurred), "pre_residual": network.trunk(blurred)}
    for place, (rows, columns) in CROPS.items():
        for name, image in found.items():
            difference = largest_difference(image[0, :, rows, columns], f"dbgan_rrdb/{name}/{place}")
            assert difference <= 10 * GOLDEN[f"dbgan_rrdb/{name}/noise"]


def test_critic_is_the_authors_one():
    critic = filled(VGGCritic(64, 128, luminance=False), authors_critic_key, gain=1.7)
    assert sum(p.numel() for p in critic.parameters()) == 14_502_281
    with torch.no_grad():
        logits = critic(unit_input((2, 3, 128, 128)))
    assert logits.shape == (2,)
    assert largest_difference(logits, "dbgan_disc_vgg128/out") <= 10 * GOLDEN["dbgan_disc_vgg128/noise"]


@pytest.mark.parametrize(
    ("critic", "authors_key", "gain", "size", "name"),
    [
        (VGGCritic(64, 128, False, conv_bias=False), basicsr_critic_key, 1.7, 14_499_401, "basicsr_disc_vgg128/eval"),
        (PatchCritic(), deblurgan_critic_key, 1.4, 2_764_737, "deblurgan_disc_patch/eval"),
        (PatchCritic(), deblurgan_critic_key, 1.4, 2_764_737, "deblurgan_disc_patch/train"),
    ],
)
def test_other_critics_are_their_authors_ones(critic, authors_key, gain, size, name):
    critic = filled(critic, authors_key, gain).train(name.endswith("train"))
    assert sum(p.numel() for p in critic.parameters()) == size
    with torch.no_grad():
        logits = critic(unit_input((2, 3, 128, 128))).numpy()
    assert (
        np.abs(logits.reshape(CRITICS[f"{name}/out"].shape) - CRITICS[f"{name}/out"]).max()
        <= 10 * CRITICS[f"{name}/noise"]
    )
