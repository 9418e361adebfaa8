"""What `make ablations` varies, one setting at a time, each with every seed."""

from typing import NamedTuple


class Variant(NamedTuple):
    """A setting to be compared with the baseline."""

    name: str  # of its experiments, the seed behind it
    group: str  # what is varied, as a heading of the page
    label: str  # its row
    changes: dict[str, str]  # keys of params.yaml, as `dvc exp run -S` takes them


# A seed draws the simulated shakes, so the test set too, the weights' start and the batches: a setting is compared with
# the baseline of the same seed.
SEEDS = (118, 119, 120)

# One thread for each training: two experiments side by side on two cores get 1.5 times as much done as one
# after the other on both.
ALWAYS = {"scale": "sample", "scales.sample.threads": "1"}

BASELINE = Variant("baseline", "", "as in params.yaml", {})

# In the order of their worth, should time run out before the last seed.
VARIANTS = (
    Variant("mix-0", "BGAN's share of the training pairs, `mix.realistic`", "0 (without BGAN)", {"mix.realistic": "0"}),
    Variant("mix-0.5", "BGAN's share of the training pairs, `mix.realistic`", "0.5", {"mix.realistic": "0.5"}),
    Variant(
        "mix-1", "BGAN's share of the training pairs, `mix.realistic`", "1 (BGAN's blurs only)", {"mix.realistic": "1"}
    ),
    Variant("vanilla", "objective of both adversarial trainings, `objective`", "vanilla", {"objective": "vanilla"}),
    Variant("lsgan", "objective of both adversarial trainings, `objective`", "lsgan", {"objective": "lsgan"}),
    Variant("wgan-gp", "objective of both adversarial trainings, `objective`", "wgan-gp", {"objective": "wgan-gp"}),
    Variant("alpha-0.001", "weight of the content loss in fine-tuning, `alpha`", "0.001", {"alpha": "0.001"}),
    Variant("alpha-0.05", "weight of the content loss in fine-tuning, `alpha`", "0.05", {"alpha": "0.05"}),
    Variant("perceptual-0", "perceptual loss in fine-tuning", "off", {"scales.sample.finetune.perceptual": "0"}),
    Variant("paired", "BGAN's training, `bgan.pairing`", "paired", {"bgan.pairing": "paired"}),
    Variant("beta-0", "weight of the adversarial loss in both trainings, `beta`", "0", {"beta": "0"}),
    Variant("beta-0.1", "weight of the adversarial loss in both trainings, `beta`", "0.1", {"beta": "0.1"}),
)


def settings(variant: Variant, seed: int) -> dict[str, str]:
    """All that one experiment sets."""
    return {**ALWAYS, "seed": str(seed), **variant.changes}


def experiment(variant: Variant, seed: int) -> str:
    """The name of one experiment."""
    return f"ablation-{variant.name}-{seed}"


def experiments() -> list[tuple[Variant, int]]:
    """All of them, in the order of the queue.

    The baselines come first: the others take their stages from DVC's cache, and two that train the same at the same
    time would be refused by the second one's lock.
    """
    return [(variant, seed) for variants in ((BASELINE,), VARIANTS) for seed in SEEDS for variant in variants]
