"""VGG-19 features for the perceptual loss: conv3_3, before its ReLU, of the image normalised as for ImageNet."""

from pathlib import Path
from typing import Self

import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from dbgan.models.tensor_files import read_tensors
from dbgan.settings import Params

RANDOM = "random"
LAYERS = (1, 1, 0, 2, 2, 0, 4, 4, 4)  # up to conv3_3: channels of each conv in units of the width; 0: a pool


class PerceptualParams(Params):
    weights: str  # "random", "imagenet", or a file with torchvision's vgg19 weights (.pth or .safetensors)
    width: PositiveInt  # channels of the first layer; 64 in VGG-19, and needed for a weights file
    divisor: PositiveFloat  # of the features; SRGAN's 12.75 makes the loss 1 / 163 of what it is without

    @model_validator(mode="after")
    def file_has_full_width(self) -> Self:
        if self.weights != RANDOM and self.width != 64:
            raise ValueError("perceptual.width must be 64 unless weights is random")
        return self


class VGGFeatures(nn.Module):
    """(N, 3, H, W) in [0, 1] -> (N, 4 * width, H / 4, W / 4). Frozen.

    Random weights are a usable perceptual loss for images (Y. Liu et al., "Generic Perceptual Loss for Modeling
    Structured Output Dependencies", CVPR 2021); He's initialisation keeps the scale of the signal.
    """

    def __init__(self, p: PerceptualParams) -> None:
        super().__init__()
        layers: list[nn.Module] = []  # numbered as torchvision's
        channels = 3
        generator = torch.Generator().manual_seed(0)
        for layer in LAYERS:
            if layer:
                conv = nn.Conv2d(channels, channels := layer * p.width, 3, padding=1)
                nn.init.kaiming_normal_(conv.weight, generator=generator)
                nn.init.zeros_(conv.bias)
                layers += [conv, nn.ReLU()]
            else:
                layers.append(nn.MaxPool2d(2))
        self.features, self.divisor = nn.Sequential(*layers[:-1]), p.divisor
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        if p.weights != RANDOM:
            try:
                found = read_tensors(Path(p.weights))
                self.load_state_dict({key: found[key] for key in self.state_dict() if key in found})
            except (ValueError, RuntimeError) as error:
                raise ValueError(f"perceptual.weights {p.weights}: {' '.join(str(error).split())}") from None
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> Tensor:
        return self.features((image - self.mean) / self.std) / self.divisor
