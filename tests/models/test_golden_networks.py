"""Our networks compute what the authors' do: equal outputs on equal weights."""

import re

import pytest
import torch
from golden_recipe import GOLDEN, fill, filled, largest_difference, unit_input

from dbgan.models.critics import VGGCritic
from dbgan.models.dbgan import DeblurGenerator

CROPS = {"topleft": (slice(0, 12),) * 2, "centre": (slice(26, 38),) * 2, "bottomright": (slice(52, 64),) * 2}


def authors_generator_key(key):
    outer = {"head": "0", "after_blocks": "1.sub2.0", "before_tail": "2", "tail": "4"}
    if found := re.fullmatch(r"trunk\.(\w+)\.(\w+)", key):
        return f"model.{outer[found[1]]}.{found[2]}"
    block, dense, conv, leaf = re.fullmatch(r"trunk\.blocks\.(\d+)\.dense\.(\d)\.convs\.(\d)\.(\w+)", key).groups()
    return f"model.1.sub1.{block}.RDB{int(dense) + 1}.conv{int(conv) + 1}.0.{leaf}"


def authors_critic_key(key):
    part, _, rest = key.partition(".")
    if part in ("hidden", "logit"):
        return f"classifier.{'0' if part == 'hidden' else '2'}.{rest}"
    k, _, leaf = rest.partition(".")
    place = max(3 * int(k) - 1, 0) if part == "convs" else 3 * int(k) + 3
    return f"features.{place}.{leaf}"


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
    network = filled(DeblurGenerator(64, 16, 32, 1), authors_generator_key, gain=0.5)
    assert sum(p.numel() for p in network.parameters()) == 11_588_163
    blurred = unit_input((1, 3, 64, 64))
    with torch.no_grad():
        restored = network(blurred)
    for place, (rows, columns) in CROPS.items():
        for name, image in (("out", restored.clamp(0, 1)), ("pre_residual", restored - blurred)):
            difference = largest_difference(image[0, :, rows, columns], f"dbgan_rrdb/{name}/{place}")
            assert difference <= 10 * GOLDEN[f"dbgan_rrdb/{name}/noise"]


def test_critic_is_the_authors_one():
    critic = filled(VGGCritic(64, 128, luminance=False), authors_critic_key, gain=1.7)
    assert sum(p.numel() for p in critic.parameters()) == 14_502_281
    with torch.no_grad():
        logits = critic(unit_input((2, 3, 128, 128)))
    assert logits.shape == (2,)
    assert largest_difference(logits, "dbgan_disc_vgg128/out") <= 10 * GOLDEN["dbgan_disc_vgg128/noise"]
