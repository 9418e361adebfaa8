"""The generators by name, what params.yaml may choose of them, and their initialisation."""

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import nn

from dbgan.models.bgan import BlurConfig, BlurGenerator
from dbgan.models.dbgan import DeblurConfig, DeblurGenerator
from dbgan.models.deblurgan import DeblurGAN, DeblurGANConfig
from dbgan.models.mprnet import MPRNet, MPRNetConfig
from dbgan.models.nafnet import NAFNet, NAFNetConfig
from dbgan.models.sftnet import SFTBlurConfig, SFTBlurGenerator, SFTConfig, SFTDeblurGenerator, SFTNet
from dbgan.models.srresnet import SRResNet, SRResNetConfig

# By the name that stands in a weights file.
GENERATORS: dict[str, type[nn.Module]] = {
    "bgan": BlurGenerator,
    "sftnet_blur": SFTBlurGenerator,
    "dbgan": DeblurGenerator,
    "srresnet": SRResNet,
    "deblurgan": DeblurGAN,
    "sftnet": SFTNet,
    "sftnet_deblur": SFTDeblurGenerator,
    "mprnet": MPRNet,
    "nafnet": NAFNet,
}

# By the name that stands in params.yaml, which is its file's: the network, and the class of its section.
DEBLUR: dict[str, tuple[str, type]] = {
    "dbgan": ("dbgan", DeblurConfig),
    "srresnet": ("srresnet", SRResNetConfig),
    "deblurgan": ("deblurgan", DeblurGANConfig),
    "sftnet": ("sftnet_deblur", SFTConfig),
    "mprnet": ("mprnet", MPRNetConfig),
    "nafnet": ("nafnet", NAFNetConfig),
}
BLUR: dict[str, tuple[str, type]] = {
    "bgan": ("bgan", BlurConfig),
    "sftnet": ("sftnet_blur", SFTBlurConfig),
}
DEBLURS = [network for network, _ in DEBLUR.values()]
BLURS = [network for network, _ in BLUR.values()]


@dataclass(frozen=True)
class GeneratorParams:
    """DBGAN's generator; its size stands in the section of its name."""

    name: Literal["dbgan", "srresnet", "deblurgan", "sftnet", "mprnet", "nafnet"]


@dataclass(frozen=True)
class BlurGeneratorParams:
    """BGAN's generator; its size stands in the section <name>_network."""

    name: Literal["bgan", "sftnet"]


def build_generator(name: str, **config: Any) -> nn.Module:
    """A generator by name, of the published size where `config` says nothing; its weights lie channels-last, which
    convs compute fastest. Raises ValueError for a name that is not in GENERATORS."""
    if name not in GENERATORS:
        raise ValueError(f"no generator is called {name!r}; there are {', '.join(GENERATORS)}")
    return GENERATORS[name](**config).to(memory_format=torch.channels_last)


def reverse(name: str, config: dict) -> tuple[str, dict]:
    """Name and arguments of the deblurring generator that goes with a blur generator in a cycle: its like in size."""
    network, kind = DEBLUR[{"bgan": "dbgan", "sftnet_blur": "sftnet"}[name]]
    return network, {field.name: config[field.name] for field in fields(kind) if field.name in config}


def new_generator(name: str, seed: int, std: float, **config: Any) -> nn.Module:
    """`build_generator` with fresh weights, a function of `seed`: the paper's own networks start from a Gaussian of
    deviation `std`, the others as their layers do in PyTorch, which is how their authors train them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_generator(name, **config)
    return gaussian_init(network, seed, std) if name in ("bgan", "dbgan") else network


def gaussian_init(network: nn.Module, seed: int, std: float) -> nn.Module:
    """Weights of convs and linear layers from N(0, std^2), biases 0 (paper: std 0.01). In place."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0, std, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
