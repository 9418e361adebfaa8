"""What `make ablations` varies, each with every seed. The first rows are the paper's claim; what is done last matters
least, so a run that is stopped early still answers it.
"""

SEEDS = (118, 119, 120)  # each draws the simulated shakes, the test set's too, the weights' start and the batches
MORE = (121, 122, 123)  # of the variants that the headline, a share, is made of
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
# As first shipped: the reproduction's pre-training of a narrower network, with more of BGAN's blurs. Most settings were
# compared on this base.
L1 = ("pretrain.content=l1", "scales.sample.dbgan.growth=12", "mix.realistic=0.3")
MIX = {  # what the headline compares; by name: the keys of params.yaml and their values
    "baseline": (),
    "mix-0": ("mix.realistic=0",),
    "oracle": ("synthesize.source=oracle",),
}
CAMERA = {"film": FILM} | {f"film-{name}": (*FILM, *MIX[name]) for name in ("mix-0", "oracle")}
SETTINGS = {
    "alpha-0.01": ("alpha=0.01",),
    "alpha-0.05": ("alpha=0.05",),
    **CAMERA,
    "bgan": RRDB,
    "mix-1": ("mix.realistic=1",),
    "mix-0.5": ("mix.realistic=0.5",),
    "film-no-highlights": (*FILM, "synthesize.highlights=false"),
    "no-jpeg": ("synthesize.jpeg=false",),
    "noise": ("synthesize.noise=true",),
    "vgg": (f"{SAMPLE}critic=vgg",),
    "patch": (f"{SAMPLE}critic=patch",),
    "vanilla": ("objective=vanilla",),
    "lsgan": ("objective=lsgan",),
    "wgan-gp": ("objective=wgan-gp",),
    "perceptual-0": ("finetune.perceptual=0",),
    "beta-0.1": ("beta=0.1",),
}
VARIANTS: dict[str, tuple[str, ...]] = MIX | CAMERA
VARIANTS |= {f"l1-{name}": changes for name, changes in (MIX | SETTINGS).items()}  # on the base L1
# What a variant is compared with, where it is not the baseline; another camera's test photographs have other blurs.
REFERENCE = {f"l1-{name}": "l1-film" if name.startswith("film-") else "l1-baseline" for name in MIX | SETTINGS}
REFERENCE |= dict.fromkeys(CAMERA, "film") | {"l1-baseline": "baseline", "film": None, "l1-film": "film"}
LABELS = {  # of changes that are many keys
    FILM: "another real camera",
    RRDB: "the paper's generator, in a cycle after a start on pairs",
}

PSNRS = ("psnr", "psnr_real")
CLAIMS = [  # of the paper: who is said to gain over whom, by which figure
    *(("BGAN helps", "baseline", "mix-0", key) for key in PSNRS),
    *(("BGAN helps", f"l1-{one}", "l1-mix-0", key) for one in ("baseline", "mix-0.5", "mix-1") for key in PSNRS),
    *(("the paper's generator helps", "l1-bgan", "l1-mix-0", key) for key in PSNRS),
    *(("BGAN helps, other camera", "film", "film-mix-0", key) for key in PSNRS),
    *(
        ("relativistic beats traditional", "l1-baseline", f"l1-{other}", key)
        for other in ("vanilla", "lsgan", "wgan-gp")
        for key in (*PSNRS, "bgan_realism")
    ),
]
SHARES = {  # who wins which share of whose gain, by the real camera: with BGAN, without, with the oracle
    "the sample's": ("baseline", "mix-0", "oracle"),
    "another real camera": ("film", "film-mix-0", "film-oracle"),
}
SHARES_L1 = {f"{camera}; L1": tuple(f"l1-{one}" for one in three) for camera, three in SHARES.items()}


def experiments() -> dict[str, list[str]]:
    """All experiments by name, in the order of the queue, and the keys that each sets."""
    found = {}
    for variant, changes in VARIANTS.items():
        base = (*ALWAYS, *(L1 if variant.startswith("l1-") else ()))
        for seed in (*SEEDS, *(MORE if variant.removeprefix("l1-") in MIX else ())):
            values = dict(change.split("=") for change in (*base, f"seed={seed}", *changes))
            found[f"ablation-{variant}-{seed}"] = [f"{key}={value}" for key, value in values.items()]
    return found
