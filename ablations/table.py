"""Figures of the experiments that are done to docs/ablations.csv, tables made of it to docs/ablations.md and README.md:
python -m ablations.table
"""

from pathlib import Path

import dvc.api
import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import ttest_1samp

from ablations import plan
from ablations.run import revisions
from dbgan import markdown, settings, utils
from dbgan.panels import save_grid, split
from dbgan.report import flat, output

FILES = ("params.yaml", "metrics/evaluate.json", "dvc.lock")
RECORDED = (  # of metrics/evaluate.json
    *("psnr_blurred", "psnr_pretrained", "psnr", "ssim_blurred", "ssim"),
    *("psnr_real_blurred", "psnr_real_pretrained", "psnr_real", "blur_effect_real_before", "blur_effect_real_after"),
    *("bgan_realism", "bgan_diversity", "color_shift", "bgan_color_shift"),
)
COMPARED = {  # label, sign of an improvement, least difference that matters, and the blurred input's figure
    "psnr": ("PSNR, dB", 1, 0.05, "psnr_blurred"),  # the field's tables have two digits and call tenths a gain
    "psnr_real": ("PSNR on real blur, dB", 1, 0.05, "psnr_real_blurred"),
    "blur_effect_real_after": ("blur left in real photographs", -1, 0.005, "blur_effect_real_before"),
    "bgan_realism": ("BGAN's distance to real blur", -1, 0.05, None),
}
MIXES = ("mix-0", "baseline", "oracle")  # shown in the picture
PARTS = {0: np.s_[60:200, 170:310], 17: np.s_[60:200, 180:320]}  # of panels simulated_<number>.png


def main(
    csv: Path = Path("docs/ablations.csv"), out: Path = Path("docs/ablations.md"), readme: Path = Path("README.md")
) -> None:
    """Write the figures of experiments done here, if any, to CSV, where the others' stay as they are; tables of it to
    OUT, the shares to README, too, gallery/mix.jpg beside OUT."""
    root = utils.project_root()
    if done := revisions(root):
        table, kept = with_earlier(collected(root, done), csv)
        with utils.atomic_write(csv) as part:
            table.to_csv(part, index=False, lineterminator="\n")
        utils.log(f"{csv}: {len(done)} experiments done here, {kept} rows of others kept as they were")
    figures = pd.read_csv(csv).pivot(index="seed", columns="variant")
    for page in (out, readme):
        markdown.fill(page, "shares", shares_table(figures))
    markdown.fill(out, "claims", claims_table(figures))
    markdown.fill(out, "settings", settings_table(figures))
    mixes = [done.get(f"ablation-{name}-{plan.SEEDS[0]}") for name in MIXES]
    if all(mixes):
        save_mix(root, mixes, out.parent / "gallery" / "mix.jpg")
    utils.log(f"{out}: {figures['psnr'].count().sum()} of {len(plan.experiments())} experiments")


def collected(root: Path, done: dict[str, str]) -> pd.DataFrame:
    """A row for each experiment. ValueError: its settings are not the plan's, or others or its code are unlike."""
    rows, first = [], {}
    for name, revision in done.items():
        texts = (output(root, "git", "show", f"{revision}:{file}") for file in FILES)
        params, figures, lock = map(settings.parse, texts)
        used = {key: value for key, value in flat(params).items() if not key.startswith("scales.paper.")}
        for key, value in (change.split("=") for change in plan.experiments()[name]):
            if used.pop(key, None) != settings.parse(value):
                raise ValueError(f"{name}: {key} is not {value}; `dvc exp rm {name}`, then run it anew")
        deps = [dep for stage in lock["stages"].values() for dep in stage["deps"]]
        used |= {dep["path"]: dep["md5"] for dep in deps if dep["path"].endswith(".py")}
        for key, value in used.items():
            other, known = first.setdefault(key, (name, value))
            if known != value:
                raise ValueError(f"{other} and {name} ran with unlike {key}; `dvc exp rm` one, then run it anew")
        variant, seed = name.removeprefix("ablation-").rsplit("-", 1)
        shifts = {key: max(figures[key], key=abs) for key in ("color_shift", "bgan_color_shift")}  # of R, G and B
        rows.append({"variant": variant, "seed": int(seed)} | {key: (figures | shifts)[key] for key in RECORDED})
    return pd.DataFrame(rows).astype(dict.fromkeys(RECORDED, float))


def with_earlier(new: pd.DataFrame, csv: Path) -> tuple[pd.DataFrame, int]:
    """The rows of CSV with the new ones in their place, in the plan's order, with the shares of the oracle's gain; how
    many rows are CSV's own."""
    keys = ["variant", "seed"]
    names = [tuple(name.removeprefix("ablation-").rsplit("-", 1)) for name in plan.experiments()]
    order = pd.MultiIndex.from_tuples([(variant, int(seed)) for variant, seed in names], names=keys)
    old, new = (pd.read_csv(csv) if csv.exists() else new[:0]).set_index(keys), new.set_index(keys)
    old = old[~old.index.isin(new.index)].reindex(columns=RECORDED)
    table = pd.concat([old, new]).reindex(order).dropna(how="all").reset_index()
    for bgan, none, oracle in plan.SHARES:
        shares = share(table.pivot(index="seed", columns="variant"), bgan, none, oracle)
        of_it = table["variant"] == bgan
        table.loc[of_it, "oracle_share"] = table.loc[of_it, "seed"].map(shares)
    return table, len(table) - len(new)


def share(figures: pd.DataFrame, bgan: str, none: str, oracle: str) -> pd.Series:
    """BGAN's gain of PSNR on real blur over none, as a share of the oracle's, seed by seed."""
    return difference(figures, bgan, none, "psnr_real") / difference(figures, oracle, none, "psnr_real")


def difference(figures: pd.DataFrame, one: str, other: str | None, key: str) -> pd.Series:
    """`one` less `other`, seed by seed, where both are known: a seed draws the test photographs' blurs, too."""
    return pd.Series(figures.get((key, one), np.nan) - figures.get((key, other), np.nan)).dropna()


def interval(gains: pd.Series) -> tuple[float, float]:
    """Student's 95 % interval of the mean; NaN for less than two seeds."""
    return ttest_1samp(gains, 0).confidence_interval(0.95) if len(gains) > 1 else (np.nan, np.nan)


def answer(gains: pd.Series, sign: int, matters: float) -> str:
    if len(gains) < 2:
        return "not tried often enough"
    if not np.prod(interval(gains)) > 0:
        return "too small to tell"
    if abs(gains.mean()) < matters:
        return "sure, but too small to matter"
    return "seen" if gains.mean() * sign > 0 else "not seen: the opposite is"


def shares_table(figures: pd.DataFrame) -> str:
    gained = ("gain over the blurred input, dB: on real blur", "on the pairs' blur")
    rows = [["real camera", "DBGAN trained", *gained, "share of the oracle's gain", "95% interval", "seeds"]]
    for bgan, none, oracle in plan.SHARES:
        shares = share(figures, bgan, none, oracle).dropna()
        won = ["", ""] if shares.empty else [f"**{shares.mean():.2f}**", ends(shares, ".2f")]
        for variant, label in ((none, "without BGAN"), (bgan, "**with BGAN**"), (oracle, "with the oracle")):
            if ("psnr_real", variant) in figures:
                gains = [figures[key, variant] - figures[f"{key}_blurred", variant] for key in ("psnr_real", "psnr")]
                cells = [*(spread(gain, "+") for gain in gains), *(won if variant == bgan else ["", ""])]
                rows.append([plan.LABELS.get(bgan, "the sample's"), label, *cells, str(gains[0].count())])
    return markdown.table(rows)


def claims_table(figures: pd.DataFrame) -> str:
    rows = [["claim", "compared", "figure", "difference", "95% interval", "seeds", "answer"]]
    for claim, one, other, key in plan.CLAIMS:
        label, sign, matters, _ = COMPARED[key]
        gains = difference(figures, one, other, key)
        if len(gains):
            cells = [f"{gains.mean():+.3f}", ends(gains, "+.3f"), str(len(gains))]
            rows.append([claim, f"{named(one)} less {named(other)}", label, *cells, answer(gains, sign, matters)])
    return markdown.table(rows)


def settings_table(figures: pd.DataFrame) -> str:
    seeds = figures["psnr"].count()
    variants = [variant for variant in plan.VARIANTS if variant in seeds]
    columns = [["setting", "blurred, not restored", *map(named, variants)]]
    columns.append(["seeds", seeds["baseline"], *seeds[variants]])
    for key, (label, _, _, before) in COMPARED.items():
        blurred = spread(figures[before, "baseline"]) if before else ""
        less = [difference(figures, variant, plan.REFERENCE.get(variant, "baseline"), key) for variant in variants[1:]]
        columns.append([label, blurred, *(spread(figures[key, variant]) for variant in variants)])
        columns.append(["difference", "", "", *map(signed, less)])
    return markdown.table([*zip(*columns, strict=True)])


def named(variant: str) -> str:
    changes = ", ".join(f"`{change}`" for change in plan.VARIANTS[variant])
    return plan.LABELS.get(variant) or changes or variant


def ends(gains: pd.Series, form: str) -> str:
    """The interval's ends; one seed has none."""
    return " to ".join(f"{end:{form}}" for end in interval(gains)) if len(gains) > 1 else ""


def spread(values: pd.Series, sign: str = "") -> str:
    """Mean ± standard deviation, which one seed has not."""
    known = values.dropna()
    return "" if known.empty else f"{known.mean():{sign}.3f}" + (f" ± {known.std():.3f}" if len(known) > 1 else "")


def signed(gains: pd.Series) -> str:
    if not gains.any():
        return "same" if len(gains) else ""
    if gains.abs().max() < 0.0005:
        return "under 0.0005"
    text = spread(gains, "+")
    return f"**{text}**" if np.prod(interval(gains)) > 0 else text  # 0 is not between its ends


def save_mix(root: Path, done: list[str], out: Path) -> None:
    """Simulated real blur, restored by networks with ever more of BGAN's blurs in their training; sharp."""
    rows = []
    for number, part in PARTS.items():
        panels = []
        for revision in done:
            with dvc.api.open(f"results/panels/simulated_{number:04d}.png", str(root), revision, mode="rb") as file:
                panels.append([photo[part] for photo in split(np.asarray(Image.open(file)), 3)])
        rows.append([panels[0][0], *(restored for _, restored, _ in panels), panels[0][2]])
    save_grid(rows, out)


app = utils.app(main)

if __name__ == "__main__":
    app()
