"""VGG-19 features for the perceptual loss: conv3_3, before its ReLU, of the image normalised as for ImageNet."""

from collections import OrderedDict
from pathlib import Path
from typing import Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from dbgan.models.tensor_files import read_tensors
from dbgan.settings import Params

RANDOM = "random"
# torchvision's numbering of VGG-19 up to conv3_3 ("features.<n>"): channels of a conv in units of the width; 0: a pool.
LAYERS = {0: 1, 2: 1, 4: 0, 5: 2, 7: 2, 9: 0, 10: 4, 12: 4, 14: 4}


class PerceptualParams(Params):
    weights: str  # "random", "imagenet", or a file with torchvision's vgg19 weights (.pth or .safetensors)
    width: PositiveInt  # channels of the first layer; 64 in VGG-19, and needed for a weights file

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
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for n, layer in LAYERS.items():
            if layer:
                layers[str(n)] = nn.Conv2d(channels, layer * p.width, 3, padding=1)
                layers[str(n + 1)] = nn.ReLU()
                channels = layer * p.width
            else:
                layers[str(n)] = nn.MaxPool2d(2)
        del layers["15"]  # conv3_3 is taken before its ReLU
        self.features = nn.Sequential(layers)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        if p.weights == RANDOM:
            generator = torch.Generator().manual_seed(0)
            for conv in self.features:
                if isinstance(conv, nn.Conv2d):
                    nn.init.kaiming_normal_(conv.weight, generator=generator)
                    nn.init.zeros_(conv.bias)
        else:
            self.load_state_dict(self._from_file(Path(p.weights)))
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> Tensor:
        return self.features((image - self.mean) / self.std)

    def _from_file(self, path: Path) -> dict[str, Tensor]:
        try:
            found = read_tensors(path)
            for key, ours in self.state_dict().items():
                if getattr(found.get(key), "shape", None) != ours.shape:
                    raise ValueError(f"{path}: {key} is missing or has another shape than in VGG-19")
        except ValueError as error:
            raise ValueError(f"perceptual.weights, {error}") from None
        return {key: found[key] for key in self.state_dict()}
