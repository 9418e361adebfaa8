"""DBGAN's generator: a blurred photograph in, a sharp one out (paper, Sec. 3)."""

from dataclasses import dataclass

from torch import Tensor, nn

from dbgan.models.rrdb import ResidualTrunk


@dataclass(frozen=True)
class DeblurConfig:
    """Size of the deblurring generator."""

    width: int  # channels of the trunk
    blocks: int  # residual blocks, each of three dense blocks
    growth: int  # channels that each conv in a dense block adds
    downsample: int  # the trunk works at 1 / downsample of the resolution; 1 is the paper's


class DeblurGenerator(nn.Module):
    """16 residual blocks of width 64 without BatchNorm in the paper.

    (N, 3, H, W) in [0, 1] -> the same size. The result is not clamped, for a clamp in training loses gradient;
    whoever uses it clamps it to [0, 1] (`to_uint8` does).
    """

    def __init__(self, width: int, blocks: int, growth: int, downsample: int) -> None:
        super().__init__()
        self.trunk = ResidualTrunk(3, width, blocks, growth, downsample, batch_norm=False)

    def forward(self, blurred: Tensor) -> Tensor:
        return blurred + self.trunk(blurred)
