"""DBGAN's generator: a blurred photograph in, a sharp one out (paper, Sec. 3)."""

from torch import Tensor, nn

from dbgan.models.rrdb import ResidualTrunk, TrunkConfig

DeblurConfig = TrunkConfig


class DeblurGenerator(nn.Module):
    """16 residual blocks of width 64 without BatchNorm in the paper. (N, 3, H, W) in [0, 1] -> the same size, clamped
    to [0, 1] as by the authors, but not in training, for a clamp loses gradient."""

    def __init__(self, config: DeblurConfig) -> None:
        super().__init__()
        self.multiple = config.downsample
        self.trunk = ResidualTrunk(3, config, batch_norm=False)

    def forward(self, blurred: Tensor) -> Tensor:
        restored = blurred + self.trunk(blurred)
        return restored if self.training else restored.clamp(0, 1)
