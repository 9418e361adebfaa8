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

    def __post_init__(self) -> None:
        if min(self.width, self.blocks, self.growth, self.downsample) < 1:
            raise ValueError("width, blocks, growth and downsample must be at least 1")


class DeblurGenerator(nn.Module):
    """16 residual blocks of width 64 without BatchNorm in the paper.

    (N, 3, H, W) in [0, 1] -> the same size, in evaluation clamped to [0, 1] as by the authors. In training it is not,
    for a clamp loses gradient.
    """

    def __init__(self, width: int = 64, blocks: int = 16, growth: int = 32, downsample: int = 1) -> None:
        super().__init__()
        self.trunk = ResidualTrunk(3, width, blocks, growth, downsample, batch_norm=False)

    def forward(self, blurred: Tensor) -> Tensor:
        restored = blurred + self.trunk(blurred)
        return restored if self.training else restored.clamp(0, 1)
