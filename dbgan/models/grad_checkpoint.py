"""Less memory for training: a block's inside is computed again for the gradients instead of being kept (Chen et al.,
"Training Deep Nets with Sublinear Memory Cost", 2016). Results are the same to the bit."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.utils import checkpoint

from dbgan.models import deblurgan, mprnet, nafnet, rrdb, sftnet, srresnet

BLOCKS = (
    rrdb.ResidualBlock,
    srresnet.ResidualBlock,
    deblurgan.ResidualBlock,
    sftnet.TransformedBlock,
    mprnet.ChannelAttentionBlock,
    nafnet.NAFBlock,
)


def checkpoint_blocks(network: nn.Module) -> nn.Module:
    """`network`, which from now on keeps of each block its input alone. In place; names of weights stay."""
    for block in network.modules():
        if isinstance(block, BLOCKS):
            forward = partial(
                checkpoint.checkpoint,
                block.forward,
                use_reentrant=False,
                context_fn=lambda block=block: (nullcontext(), _statistics_apart(block)),  # first and second time
            )
            setattr(block, "forward", forward)  # noqa: B010 - no assignment to a method, for the type checker
    return network


@contextmanager
def _statistics_apart(block: nn.Module) -> Iterator[None]:
    """Within it, normalisation layers change copies of their running statistics: each image must count once."""
    buffers = [(layer, name, buffer) for layer in block.modules() for name, buffer in layer.named_buffers("", False)]
    for layer, name, buffer in buffers:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in buffers:
            setattr(layer, name, buffer)
