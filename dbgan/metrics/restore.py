"""Runs a generator on whole frames."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


@torch.inference_mode()
def whole_frame(network: Callable[[Tensor], Tensor], frame: Tensor, margin: int, device="cpu") -> Tensor:
    """A frame (3, H, W) in [0, 1] through `network`, the same size, clamped, on the CPU.

    The convs see zeros beyond the border, which would show as a rim; so the frame is mirrored by `margin`
    pixels around and the rim cut off again. A frame smaller than the margin is mirrored as far as it goes, and
    then its border repeated.
    """
    _, height, width = frame.shape
    down, right = min(margin, height - 1), min(margin, width - 1)
    framed = F.pad(frame[None].to(device), (right, right, down, down), mode="reflect")
    framed = F.pad(framed, (margin - right,) * 2 + (margin - down,) * 2, mode="replicate")
    output = network(framed)
    if isinstance(output, list):  # a network of several stages gives the last one's result first
        output = output[0]
    output = output[0, :, margin : margin + height, margin : margin + width]
    return output.clamp(0, 1).cpu()
