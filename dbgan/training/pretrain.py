"""DBGAN's pre-training by a content loss alone: L1, or what a network of several stages is supervised by."""

from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.losses import multi_stage, psnr, squared_error, stages
from dbgan.training.distributed import ALONE, Place
from dbgan.training.optim import Means, OptimParams, adam, begin, ready, update
from dbgan.training.resume import Values


class PretrainStep:
    """One update of the generator over all accumulated batches."""

    def __init__(self, generator: nn.Module, p: OptimParams, device="cpu", place: Place = ALONE) -> None:
        self.generator = self.result = ready(generator, p, device, place)
        self.optimizer = adam(self.generator, p, p.lr)
        self.p, self.device, self.place = p, device, place

    def parts(self) -> dict:
        """All that a resumed training needs."""
        return {"generator": self.generator, "optimizer": self.optimizer}

    def __call__(self, n: int, batches: list[tuple[Tensor, Tensor]]) -> Values:
        means = Means()
        begin(n, self.p, self.optimizer)
        for batch in batches:
            blurred, sharp = (images.to(self.device, non_blocking=True) for images in batch)
            restored = stages(self.generator(blurred))
            loss = multi_stage(restored, sharp) if len(restored) > 1 else F.l1_loss(restored[0], sharp)
            (loss / len(batches)).backward()
            means.add({"content": loss, "psnr": psnr(self.place.mean(squared_error(restored[0], sharp)))})
        return means.tensors() | update(self.p, {"generator": self.generator}, [self.optimizer], self.place)
