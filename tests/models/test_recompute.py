"""Blocks computed twice give the same to the bit, count each image once, and keep less."""

import pytest
import torch
from torch import nn

from dbgan.losses import stages
from dbgan.models.build import build_generator
from dbgan.models.grad_checkpoint import recompute_blocks

SFT = {"width": 2, "blocks": 2, "condition_width": 4, "shared_channels": 2}
SIZES = {
    "bgan": {"width": 4, "blocks": 2, "growth": 2},
    "dbgan": {"width": 4, "blocks": 2, "growth": 2},
    "srresnet": {"width": 4, "blocks": 2, "scale": 1, "batch_norm": True, "skip": True},
    "deblurgan": {"width": 2, "blocks": 2, "dropout": True, "running_statistics": True},
    "sftnet_blur": SFT,
    "sftnet_deblur": SFT | {"condition_channels": 2},
    "mprnet": {"width": 4, "unet_growth": 0, "orsnet_growth": 0, "blocks": 1},
    "nafnet": {"width": 2, "encoder_blocks": [1], "middle_blocks": 1, "decoder_blocks": [1]},
}


def noise_for(name: str) -> list[torch.Tensor]:
    """The blur generators' second input."""
    return [torch.rand(2, 4, 16, 16)] if name in ("bgan", "sftnet_blur") else []


def loss(network: nn.Module, *inputs: torch.Tensor) -> torch.Tensor:
    """Some loss of all that a network gives."""
    return sum(output.float().square().mean() for output in stages(network(*inputs)))


def kept_bytes(network: nn.Module, *inputs: torch.Tensor) -> int:
    """What a forward pass keeps for the gradients."""
    kept: dict[int, int] = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = network(*inputs)
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    del outputs
    return sum(size for at, size in kept.items() if at not in own)


def learnt(name: str, recomputed: bool, precision: torch.dtype) -> dict[str, torch.Tensor]:
    """Gradients and buffers after a network was used twice before one backward pass, as in a cycle."""
    torch.manual_seed(1)
    network = build_generator(name, **SIZES[name]).train()
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)  # NAFNet's blocks begin as doing nothing
    if recomputed:
        recompute_blocks(network)
    images = torch.rand(2, 2, 3, 16, 16)
    torch.manual_seed(2)  # of dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16, cache_enabled=False):
        losses = [loss(network, image, *noise_for(name)) for image in images]
        sum(losses).backward()
    gradients = {name: weight.grad for name, weight in network.named_parameters()}
    return gradients | dict(network.named_buffers())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", SIZES)
def test_gradients_and_running_statistics_are_the_same_to_the_bit(name, precision):
    plain, twice = (learnt(name, recomputed, precision) for recomputed in (False, True))
    assert plain.keys() == twice.keys()
    assert [key for key, value in plain.items() if not value.equal(twice[key])] == []
    assert sum(bool(value.any()) for value in plain.values()) > len(plain) / 2  # what is compared is not just zeros


@pytest.mark.parametrize("name", SIZES)
def test_less_is_kept_and_names_stay(name):
    torch.manual_seed(1)
    network = build_generator(name, **SIZES[name]).train()
    inputs = [torch.rand(2, 3, 16, 16), *noise_for(name)]
    names, before = set(network.state_dict()), kept_bytes(network, *inputs)
    assert kept_bytes(recompute_blocks(network), *inputs) < 0.9 * before
    assert set(network.state_dict()) == names
