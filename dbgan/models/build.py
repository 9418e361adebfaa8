"""The generators by name, what params.yaml may choose of them, and their initialisation."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import nn

from dbgan.models.bgan import BlurConfig, BlurGenerator
from dbgan.models.camera import Camera, CameraConfig
from dbgan.models.dbgan import DeblurConfig, DeblurGenerator
from dbgan.models.deblurgan import DeblurGAN, DeblurGANConfig
from dbgan.models.mprnet import MPRNet, MPRNetConfig
from dbgan.models.nafnet import NAFNet, NAFNetConfig
from dbgan.models.sftnet import SFTConfig, SFTDeblurGenerator
from dbgan.models.sftnet_blur import SFTBlurConfig, SFTBlurGenerator
from dbgan.models.srresnet import SRResNet, SRResNetConfig
from dbgan.settings import Params

# By the name in params.yaml and in weights files, which is also the module's: the network, and the class of its config.
Networks = dict[str, tuple[type[nn.Module], type[Params]]]
DEBLUR: Networks = {
    "dbgan": (DeblurGenerator, DeblurConfig),
    "srresnet": (SRResNet, SRResNetConfig),
    "deblurgan": (DeblurGAN, DeblurGANConfig),
    "sftnet": (SFTDeblurGenerator, SFTConfig),
    "mprnet": (MPRNet, MPRNetConfig),
    "nafnet": (NAFNet, NAFNetConfig),
}
BLUR: Networks = {
    "bgan": (BlurGenerator, BlurConfig),
    "sftnet_blur": (SFTBlurGenerator, SFTBlurConfig),
    "camera": (Camera, CameraConfig),
}


class GeneratorParams(Params):
    name: Literal["dbgan", "srresnet", "deblurgan", "sftnet", "mprnet", "nafnet"]


class BlurGeneratorParams(Params):
    name: Literal["bgan", "sftnet_blur", "camera"]


def build_generator(name: str, config: Params) -> nn.Module:
    """Its weights lie channels-last, which convs compute fastest."""
    return (DEBLUR | BLUR)[name][0](config).to(memory_format=torch.channels_last)


def reverse(name: str, config: Params) -> tuple[str, Params]:
    """Name and config of the deblurring generator that goes with a blur generator in a cycle: its like in size."""
    other = {"bgan": "dbgan", "sftnet_blur": "sftnet"}.get(name)
    if not other:
        raise ValueError(
            f"params.yaml, blur_generator.name: {name} has no deblurring network of its size; the method "
            "cycle needs bgan or sftnet_blur"
        )
    values = {"condition_channels": 8} | config.model_dump()  # as many as SFTGAN's classes
    cls = DEBLUR[other][1]
    return other, cls(**{key: values[key] for key in cls.model_fields})


def new_generator(name: str, config: Params, seed: int, std: float) -> nn.Module:
    """`build_generator` with fresh weights, a function of `seed`: the paper's own networks start from a Gaussian of
    deviation `std`, the others as their layers do in PyTorch, which is how their authors train them."""
    network = seeded(partial(build_generator, name, config), seed)
    return gaussian_init(network, seed, std) if name in ("bgan", "dbgan") else network


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A new network whose layers start as PyTorch's do, a function of `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def gaussian_init(network: nn.Module, seed: int, std: float) -> nn.Module:
    """Weights of convs and linear layers from N(0, std^2), biases 0 (paper: std 0.01). In place."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0, std, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
