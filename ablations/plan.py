"""What `make ablations` varies, each with every seed. The first rows are the paper's claim; what is done last matters
least, so a run that is stopped early still answers it.
"""

SEEDS = (118, 119, 120)  # each draws the simulated shakes, the test set's too, the weights' start and the batches
MORE = (121, 122, 123)  # of the three variants that the headline, the first share, is made of
ALWAYS = ("scale=sample",)
# Another family of simulated real cameras: drift and tremor, a hexagonal aperture, film's response, bright highlights.
FILM = tuple(f"real_camera.{change}" for change in ("path=tremor", "blades=6", "contrast=0.5", "headroom=3"))
SAMPLE = "scales.sample.train_bgan."
# The paper's generator, which needs a start on the pairs, as few updates find no blur, and terms that keep it in check.
RRDB = (
    "scales.sample.blur_generator.name=bgan",
    *(f"{SAMPLE}{change}" for change in ("steps=450", "batch=4", "patch=64", "lr=1e-3", "momentum=0.9", "critic=vgg")),
    *(f"{SAMPLE}{change}" for change in ("critic_width=8", "critic_lr=3e-5", "critic_luminance=true")),
    *(f"{SAMPLE}{change}" for change in ("perceptual=2e-4", "color=4e-2", "mode_seeking=6e-2", "pixel_steps=200")),
    "train_bgan.method=cycle",
)
# Another optimizer and the paper's content loss, on more pairs and with a larger network, in half as long again.
SOAP = (
    *("pretrain.optimizer=soap", "pretrain.content=mse", "pretrain.clip=5e-3", "pretrain.augment=true"),
    *("scales.sample.pretrain.lr=3e-3", "scales.sample.pretrain.steps=2000"),
    *("scales.sample.dbgan.growth=16", "data.train_shakes=12"),
)
VARIANTS: dict[str, tuple[str, ...]] = {  # by name: the keys of params.yaml and their values
    "baseline": (),
    "mix-0": ("mix.realistic=0",),
    "oracle": ("synthesize.source=oracle",),
    "alpha-0.01": ("alpha=0.01",),
    "alpha-0.05": ("alpha=0.05",),
    "film": FILM,
    "film-mix-0": (*FILM, "mix.realistic=0"),
    "film-oracle": (*FILM, "synthesize.source=oracle"),
    "bgan": RRDB,
    "mix-1": ("mix.realistic=1",),
    "mix-0.5": ("mix.realistic=0.5",),
    "mse": ("pretrain.content=mse",),
    "mse-mix-0": ("pretrain.content=mse", "mix.realistic=0"),
    "soap-mix-0": (*SOAP, "mix.realistic=0"),
    "film-no-highlights": (*FILM, "synthesize.highlights=false"),
    "no-jpeg": ("synthesize.jpeg=false",),
    "noise": ("synthesize.noise=true",),
    "vgg": (f"{SAMPLE}critic=vgg",),
    "patch": (f"{SAMPLE}critic=patch",),
    "slow-critic": (f"{SAMPLE}critic_lr=3e-4",),
    "vanilla": ("objective=vanilla",),
    "lsgan": ("objective=lsgan",),
    "wgan-gp": ("objective=wgan-gp",),
    "perceptual-0": ("finetune.perceptual=0",),
    "beta-0.1": ("beta=0.1",),
}
LABELS = {  # of variants of many keys
    "film": "another real camera",
    "film-mix-0": "another real camera, `mix.realistic=0`",
    "film-oracle": "another real camera, `synthesize.source=oracle`",
    "film-no-highlights": "another real camera, `synthesize.highlights=false`",
    "soap-mix-0": "SOAP, squared error, more pairs, larger network, `mix.realistic=0`",
    "bgan": "the paper's generator, in a cycle after a start on pairs",
}
# What a variant is compared with, where it is not the baseline; another camera's test photographs have other blurs.
REFERENCE = {"film": None, "mse-mix-0": "mix-0", "soap-mix-0": "mix-0"}
REFERENCE |= dict.fromkeys(("film-mix-0", "film-oracle", "film-no-highlights"), "film")

CLAIMS = [  # of the paper: who is said to gain over whom, by which figure
    *(("BGAN helps", one, "mix-0", key) for one in ("baseline", "mix-0.5", "mix-1") for key in ("psnr", "psnr_real")),
    *(("the paper's generator helps", "bgan", "mix-0", key) for key in ("psnr", "psnr_real")),
    *(("BGAN helps, other camera", "film", "film-mix-0", key) for key in ("psnr", "psnr_real")),
    *(
        ("relativistic beats traditional", "baseline", other, key)
        for other in ("vanilla", "lsgan", "wgan-gp")
        for key in ("psnr", "psnr_real", "bgan_realism")
    ),
]
# Who wins which share of whose gain: with BGAN, without, with the oracle.
SHARES = [("baseline", "mix-0", "oracle"), ("film", "film-mix-0", "film-oracle")]


def experiments() -> dict[str, list[str]]:
    """All experiments by name, in the order of the queue, and the keys that each sets."""
    return {
        f"ablation-{variant}-{seed}": [*ALWAYS, f"seed={seed}", *changes]
        for variant, changes in VARIANTS.items()
        for seed in (*SEEDS, *(MORE if variant in SHARES[0] else ()))
    }
