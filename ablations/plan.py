"""What `make ablations` varies, one setting at a time, each with every seed."""

from itertools import product

SEEDS = (118, 119, 120)  # each draws the simulated shakes, the test set's too, the weights' start and the batches
# One thread for each training: two side by side on two cores get 1.5 times as much done as one after the other.
ALWAYS = ("scale=sample", "scales.sample.threads=1")
VARIANTS = {  # by name: the key of params.yaml and its value
    "baseline": None,
    "mix-0": "mix.realistic=0",
    "mix-0.5": "mix.realistic=0.5",
    "mix-1": "mix.realistic=1",
    "vanilla": "objective=vanilla",
    "lsgan": "objective=lsgan",
    "wgan-gp": "objective=wgan-gp",
    "alpha-0.001": "alpha=0.001",
    "alpha-0.05": "alpha=0.05",
    "perceptual-0": "finetune.perceptual=0",
    "paired": "train_bgan.method=paired",
    "beta-0": "beta=0",
    "beta-0.1": "beta=0.1",
}

CLAIMS = [  # of the paper: who is said to gain over whom, by which figure
    *(("BGAN helps", one, "mix-0", key) for one in ("baseline", "mix-0.5", "mix-1") for key in ("psnr", "psnr_real")),
    *(
        ("relativistic beats traditional", "baseline", other, key)
        for other in ("vanilla", "lsgan", "wgan-gp")
        for key in ("psnr", "psnr_real", "bgan_realism")
    ),
]


def experiments() -> dict[str, list[str]]:
    """All experiments by name, in the order of the queue, and the keys that each sets."""
    # Baselines first: others take their stages from DVC's cache, and a lock refuses two that train the same at once.
    queue = sorted(product(SEEDS, VARIANTS), key=lambda each: each[1] != "baseline")
    return {
        f"ablation-{variant}-{seed}": [*ALWAYS, f"seed={seed}", *filter(None, [VARIANTS[variant]])]
        for seed, variant in queue
    }
