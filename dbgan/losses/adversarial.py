"""The relativistic blur loss (paper, Fig. 3): functions of critic logits."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce


def rbl_generator(real: Tensor, fake: Tensor) -> Tensor:
    """RBL, generator side: -[E log(1 - s(C(real) - E C(fake))) + E log s(C(fake) - E C(real))] / 2.

    real, fake: (N,) logits. It pulls real ones from 1 down and pushes fakes from 0 up, towards 0.5. For BGAN real
    are real blurred photographs; for DBGAN, where the paper calls it RDBL, real sharp ones.
    """
    pull = bce(real - fake.mean(), torch.zeros_like(real))
    push = bce(fake - real.mean(), torch.ones_like(fake))
    return (pull + push) / 2


def rbl_critic(real: Tensor, fake: Tensor) -> Tensor:
    """RBL, critic side: the same with the roles exchanged. real, fake: (N,) logits."""
    return rbl_generator(real=fake, fake=real)
