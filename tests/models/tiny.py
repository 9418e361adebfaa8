"""Every generator at toy size, for the tests of networks."""

import torch
from torch import Tensor, nn

from dbgan.models.build import BLUR, DEBLUR, build_generator
from dbgan.settings import Params

DENSE = {"width": 4, "blocks": 1, "growth": 2, "downsample": 2}
SFT = {"width": 4, "blocks": 2, "condition_width": 6, "shared_channels": 3}
TINY = {
    "bgan": DENSE | {"batch_norm": True, "noise": "vector"},
    "sftnet_blur": SFT | {"noise": "spatial"},
    "camera": {
        **{"modes": 3, "reach": 6, "roll_deg": 0.5, "radius_px": 2.0, "focus_px": 0.8},
        **{"response_gamma": 2.2, "noise": 0.01},
    },
    "dbgan": DENSE,
    "srresnet": {"width": 4, "blocks": 1, "batch_norm": True, "skip": False},
    "deblurgan": {"width": 4, "blocks": 1, "dropout": True, "running_statistics": True},
    "sftnet": SFT | {"condition_channels": 2},
    "mprnet": {"width": 4, "unet_growth": 2, "orsnet_growth": 2, "blocks": 1, "reduction": 2, "parts": 2},
    "nafnet": {"width": 4, "encoder_blocks": [1, 2], "middle_blocks": 1, "decoder_blocks": [1, 1], "train_size": 8},
}


def config(name: str, **changes) -> Params:
    return (DEBLUR | BLUR)[name][1](**(TINY[name] | changes))


def build(name: str, **changes) -> nn.Module:
    torch.manual_seed(0)
    return build_generator(name, config(name, **changes))


def images(height: int, width: int, n: int = 2) -> Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


def noise_of(network: nn.Module, like: Tensor, seed: int = 0) -> Tensor:
    return network.draw_noise(like, torch.Generator().manual_seed(seed))


def inputs(network: nn.Module, photo: Tensor) -> tuple[Tensor, ...]:
    """Photographs, and noise maps where the network takes them."""
    return (photo, noise_of(network, photo)) if hasattr(network, "draw_noise") else (photo,)
