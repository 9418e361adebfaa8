"""Blocks computed twice give the same to the bit, count each image once, and keep less."""

import pytest
import torch
from tiny import TINY, build, images, inputs
from torch import nn

from dbgan.losses import stages
from dbgan.models.grad_checkpoint import checkpoint_blocks


def loss(network: nn.Module, *given: torch.Tensor) -> torch.Tensor:
    """Some loss of all that a network gives."""
    return sum(output.float().square().mean() for output in stages(network(*given)))


def kept_bytes(network: nn.Module, *given: torch.Tensor) -> int:
    """What a forward pass keeps for the gradients."""
    kept: dict[int, int] = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = network(*given)
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    del outputs
    return sum(size for at, size in kept.items() if at not in own)


def learnt(name: str, recomputed: bool, precision: torch.dtype) -> dict[str, torch.Tensor]:
    """Gradients and buffers after a network was used twice before one backward pass, as in a cycle."""
    network = build(name).train()
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)  # NAFNet's blocks begin as doing nothing
    if recomputed:
        checkpoint_blocks(network)
    batches = images(16, 16, n=4).split(2)
    torch.manual_seed(2)  # of dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16, cache_enabled=False):
        losses = [loss(network, *inputs(network, batch)) for batch in batches]
        sum(losses).backward()
    gradients = {name: weight.grad for name, weight in network.named_parameters()}
    return gradients | dict(network.named_buffers())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", TINY)
def test_gradients_and_running_statistics_are_the_same_to_the_bit(name, precision):
    plain, twice = (learnt(name, recomputed, precision) for recomputed in (False, True))
    assert plain.keys() == twice.keys()
    assert [key for key, value in plain.items() if not value.equal(twice[key])] == []
    assert sum(bool(value.any()) for value in plain.values()) > len(plain) / 2  # what is compared is not just zeros


@pytest.mark.parametrize("name", [name for name in TINY if name != "camera"])  # which has no blocks
def test_less_is_kept_and_names_stay(name):
    network = build(name).train()
    given = inputs(network, images(16, 16))
    names, before = set(network.state_dict()), kept_bytes(network, *given)
    assert kept_bytes(checkpoint_blocks(network), *given) < 0.9 * before
    assert set(network.state_dict()) == names
