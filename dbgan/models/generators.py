"""The generators by the name that stands in a weights file, and their initialisation."""

import torch
from torch import nn

from dbgan.models.bgan import BlurGenerator
from dbgan.models.dbgan import DeblurGenerator

GENERATORS: dict[str, type[nn.Module]] = {"bgan": BlurGenerator, "dbgan": DeblurGenerator}


def build_generator(name: str, **config) -> nn.Module:
    """A generator by name. Raises ValueError for a name that is not in GENERATORS."""
    if name not in GENERATORS:
        raise ValueError(f"no generator is called {name!r}; there are {', '.join(GENERATORS)}")
    return GENERATORS[name](**config)


def gaussian_init(network: nn.Module, seed: int, std: float) -> nn.Module:
    """Weights of convs and linear layers from N(0, std^2), biases 0 (paper: std 0.01). In place."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, 0, std, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
