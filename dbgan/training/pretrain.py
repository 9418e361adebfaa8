"""DBGAN's pre-training: L1 between restored and sharp, alone."""

from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses.content import psnr
from dbgan.training.optim import Means, OptimParams, adam, begin
from dbgan.training.resume import Row


class PretrainStep:
    """One update of the generator over all accumulated batches."""

    def __init__(self, generator: nn.Module, p: OptimParams, device="cpu") -> None:
        self.generator = generator.to(device).train()
        self.optimizer = adam(self.generator, p, p.lr)
        self.p, self.device = p, device

    def parts(self) -> dict:
        """All that a resumed training needs."""
        return {"generator": self.generator, "optimizer": self.optimizer}

    def __call__(self, n: int, batches: list[tuple[Tensor, Tensor]]) -> Row:
        means = Means()
        begin(n, self.p, self.optimizer)
        for batch in batches:
            blurred, sharp = (images.to(self.device) for images in batch)
            restored = self.generator(blurred)
            loss = F.l1_loss(restored, sharp)
            (loss / len(batches)).backward()
            means.add({"content": loss, "psnr": psnr(restored, sharp)})
        self.optimizer.step()
        return means.floats()
