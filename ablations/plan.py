"""What `make ablations` varies, each with every seed. The first rows are the paper's claim; what is done last matters
least, so a run that is stopped early still answers it.
"""

SEEDS = (118, 119, 120)  # each draws the simulated shakes, the test set's too, the weights' start and the batches
MORE = (121, 122, 123)  # of the three variants that the headline, the first share, is made of
ALWAYS = ("scale=sample",)
# Another family of simulated real cameras: drift and tremor, a hexagonal aperture, film's response, bright highlights.
FILM = tuple(f"real_camera.{change}" for change in ("path=tremor", "blades=6", "contrast=0.5", "headroom=3"))
# The paper's generator, which needs a start on the pairs, as few updates find no blur, and terms that keep it in check.
RRDB = (
    "scales.sample.blur_generator.name=bgan",
    *(f"train_bgan.{change}" for change in ("steps=450", "batch=4", "patch=64", "lr=1e-3", "momentum=0.9")),
    *(f"train_bgan.{change}" for change in ("critic=vgg", "critic_width=8", "critic_lr=3e-5", "critic_luminance=true")),
    *(f"train_bgan.{change}" for change in ("color=4e-2", "mode_seeking=6e-2", "pixel_steps=200", "method=cycle")),
    "scales.sample.train_bgan.perceptual=2e-4",
)
# Settings are compared in a quick run, of half the time: Adam, L1, fewer photographs, shakes and updates.
QUICK = (
    *("data.train_photos=10", "data.train_shakes=6", "mix.realistic=0.3", "scales.sample.synthesize.noise_maps=2"),
    *(f"scales.sample.pretrain.{change}" for change in ("optimizer=adam", "content=l1", "augment=false", "clip=0")),
    *(f"scales.sample.pretrain.{change}" for change in ("lr=1e-3", "steps=2500")),
    "scales.sample.dbgan.growth=12",
)
SETTINGS: dict[str, tuple[str, ...]] = {  # by name: what is changed in that run
    "quick": (),
    "quick-mix-0": ("mix.realistic=0",),
    "quick-oracle": ("synthesize.source=oracle",),
    "alpha-0.01": ("alpha=0.01",),
    "alpha-0.05": ("alpha=0.05",),
    "bgan": RRDB,
    "mix-1": ("mix.realistic=1",),
    "mix-0.5": ("mix.realistic=0.5",),
    "mse": ("scales.sample.pretrain.content=mse",),
    "mse-mix-0": ("scales.sample.pretrain.content=mse", "mix.realistic=0"),
    "no-jpeg": ("synthesize.jpeg=false",),
    "noise": ("synthesize.noise=true",),
    "vgg": ("train_bgan.critic=vgg",),
    "patch": ("train_bgan.critic=patch",),
    "slow-critic": ("train_bgan.critic_lr=3e-4",),
    "vanilla": ("objective=vanilla",),
    "lsgan": ("objective=lsgan",),
    "wgan-gp": ("objective=wgan-gp",),
    "perceptual-0": ("finetune.perceptual=0",),
    "beta-0.1": ("beta=0.1",),
}
VARIANTS: dict[str, tuple[str, ...]] = {  # by name: the keys of params.yaml and their values
    "baseline": (),
    "mix-0": ("mix.realistic=0",),
    "oracle": ("synthesize.source=oracle",),
    "film": FILM,
    "film-mix-0": (*FILM, "mix.realistic=0"),
    "film-oracle": (*FILM, "synthesize.source=oracle"),
    "film-white": (*FILM, "synthesize.highlights=false"),
    **{name: (*QUICK, *changes) for name, changes in SETTINGS.items()},
}
LABELS = {name: ", ".join(["quick run", *(f"`{change}`" for change in changes)]) for name, changes in SETTINGS.items()}
LABELS |= {  # of variants of many keys
    "film": "another real camera",
    "film-mix-0": "another real camera, `mix.realistic=0`",
    "film-oracle": "another real camera, `synthesize.source=oracle`",
    "film-white": "another real camera, `synthesize.highlights=false`",
    "bgan": "quick run, the paper's generator, in a cycle after a start on pairs",
}
# What a variant is compared with, where it is not the baseline; another camera's test photographs have other blurs.
REFERENCE = {"film": None, "film-mix-0": "film", "film-oracle": "film", "film-white": "film"}
REFERENCE |= {name: "quick" for name in SETTINGS if name != "quick"} | {"mse-mix-0": "quick-mix-0"}

CLAIMS = [  # of the paper: who is said to gain over whom, by which figure
    *(("BGAN helps", "baseline", "mix-0", key) for key in ("psnr", "psnr_real")),
    *(("BGAN helps, other camera", "film", "film-mix-0", key) for key in ("psnr", "psnr_real")),
    *(
        ("BGAN helps", one, "quick-mix-0", key)
        for one in ("quick", "mix-0.5", "mix-1")
        for key in ("psnr", "psnr_real")
    ),
    *(("the paper's generator helps", "bgan", "quick-mix-0", key) for key in ("psnr", "psnr_real")),
    *(
        ("relativistic beats traditional", "quick", other, key)
        for other in ("vanilla", "lsgan", "wgan-gp")
        for key in ("psnr", "psnr_real", "bgan_realism")
    ),
]
# Who wins which share of whose gain: with BGAN, without, with the oracle.
SHARES = [
    ("baseline", "mix-0", "oracle"),
    ("film", "film-mix-0", "film-oracle"),
    ("quick", "quick-mix-0", "quick-oracle"),
]


def experiments() -> dict[str, list[str]]:
    """All experiments by name, in the order of the queue, and the keys that each sets."""
    return {f"ablation-{variant}-{seed}": keys(variant, seed) for variant in VARIANTS for seed in seeds(variant)}


def seeds(variant: str) -> tuple[int, ...]:
    return SEEDS + MORE if variant in SHARES[0] else SEEDS


def keys(variant: str, seed: int) -> list[str]:
    """The changes to params.yaml; of two to the same key the last one."""
    changes = dict(change.split("=") for change in (*ALWAYS, f"seed={seed}", *VARIANTS[variant]))
    return [f"{key}={value}" for key, value in changes.items()]
