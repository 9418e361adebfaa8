"""The measurements of the evaluation: restored test photographs, real blurred ones, and BGAN's blurs.

Photographs are (H, W, 3) uint8; a network is a function from such a photograph to one of the same size.
"""

from collections.abc import Callable

import numpy as np

from dbgan.metrics import image, realism

Photo = np.ndarray
Network = Callable[[Photo], Photo]


def restored_pair(
    name: str, blurred: Photo, sharp: Photo, pretrained: Network, final: Network
) -> tuple[dict, list[Photo]]:
    """A test photograph restored by both networks: its row of figures, and the blurred, restored and sharp one.

    PSNR and both SSIMs of the blurred, the pre-trained and the fine-tuned result; CIEDE2000 and the mean colour
    shift of the fine-tuned one, each channel in 8-bit levels.
    """
    result = final(blurred)
    row: dict = {"frame": name}
    row |= image.scores(blurred, sharp, "_blurred")
    row |= image.scores(pretrained(blurred), sharp, "_pretrained")
    row |= image.scores(result, sharp)
    row |= {"delta_e_blurred": image.delta_e(blurred, sharp), "delta_e": image.delta_e(result, sharp)}
    shift = image.color_shift(result, sharp)
    row |= {f"color_shift_{channel}": float(v) for channel, v in zip("rgb", shift, strict=True)}
    return row, [blurred, result, sharp]


def extremes(rows: list[dict]) -> list[int]:
    """Numbers of the rows of the least and of the largest gain of PSNR; none where no gain is finite."""
    gains = {k: row["psnr"] - row["psnr_blurred"] for k, row in enumerate(rows)}
    gains = {k: gain for k, gain in gains.items() if np.isfinite(gain)}
    return sorted({min(gains, key=gains.get), max(gains, key=gains.get)}) if gains else []


def means_of_pairs(rows: list[dict]) -> dict:
    """The means of such rows."""
    means: dict = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "frame"}
    means["color_shift"] = [means.pop(f"color_shift_{channel}") for channel in "rgb"]
    return means


def restored_real(photo: Photo, final: Network) -> tuple[dict, list[Photo]]:
    """`blur_effect` of a real blurred photograph, which has no sharp partner, before and after, each a list that is
    empty if there is none; and both photographs."""
    result = final(photo)
    before, after = realism.blur_effects([photo]).tolist(), realism.blur_effects([result]).tolist()
    return {"blur_effect_real_before": before, "blur_effect_real_after": after}, [photo, result]


def means_of_real(rows: list[dict]) -> dict:
    """The means of such figures; None without any."""
    names = ("blur_effect_real_before", "blur_effect_real_after")
    values = {name: [value for row in rows for value in row[name]] for name in names}
    return {name: float(np.mean(found)) if found else None for name, found in values.items()}


def restored_known(blurred: Photo, sharp: Photo, pretrained: Network, final: Network) -> dict[str, float]:
    """PSNR of a photograph that the real blur's camera blurred, and of it restored by both networks.

    A sharp partner is there only where that camera is simulated.
    """
    return {
        "psnr_real_blurred": image.psnr(blurred, sharp),
        "psnr_real_pretrained": image.psnr(pretrained(blurred), sharp),
        "psnr_real": image.psnr(final(blurred), sharp),
    }


def means_of_known(rows: list[dict[str, float]]) -> dict[str, float | None]:
    """The means of such figures; None without any."""
    names = ("psnr_real_blurred", "psnr_real_pretrained", "psnr_real")
    return {name: float(np.mean([row[name] for row in rows])) if rows else None for name in names}


FLAT_COLORS = ((128, 128, 128), (33, 25, 23))  # grey, and a dark one on which published networks draw patterns
FLAT_SIZES = ((64, 64), (61, 77), (7, 5))  # one that halves well, odd ones, and smaller than what networks pad to


def flat_deviation(final: Network) -> float:
    """The largest change, in 8-bit levels, that a network makes to photographs of one colour: no pattern, no rim."""
    deviation = 0
    for color in FLAT_COLORS:
        for height, width in FLAT_SIZES:
            flat = np.full((height, width, 3), color, np.uint8)
            deviation = max(deviation, np.abs(final(flat).astype(int) - flat).max())
    return float(deviation)


def blurs_of_bgan(
    sharp: list[Photo], blurs: list[list[Photo]], paired: list[Photo], real: list[Photo]
) -> dict[str, float | list[float] | None]:
    """What BGAN makes of sharp crops, compared with real blur.

    sharp: crops of one size; blurs: for each noise map BGAN's blurs of all of them; paired: crops of the paired
    set's blurred photographs; real: crops of real blurred photographs, perhaps none.
    bgan_realism: distance BGAN to real over distance sharp to real (0: alike, 1: BGAN did nothing), and
    paired_realism the same of the paired set's blur; both None without real photographs. bgan_diversity: mean
    absolute difference of two noise maps' blurs of one crop; bgan_color_shift: mean change of each channel; both
    in 8-bit levels.
    """
    made = np.stack([np.stack(blur) for blur in blurs]).astype(np.float64)  # (noise maps, crops, H, W, 3)
    effects = {
        "sharp": realism.blur_effects(sharp),
        "paired": realism.blur_effects(paired),
        "bgan": realism.blur_effects(crop for blur in blurs for crop in blur),
        "real": realism.blur_effects(real),
    }
    found: dict = {f"blur_effect_{name}": float(e.mean()) if len(e) else None for name, e in effects.items()}
    comparable = all(len(e) for e in effects.values())
    for name in ("bgan", "paired"):
        found[f"{name}_realism"] = (
            realism.closeness(effects[name], effects["sharp"], effects["real"]) if comparable else None
        )
    found["bgan_diversity"] = float(np.abs(np.diff(made, axis=0)).mean())
    found["bgan_color_shift"] = [float(v) for v in (made - np.stack(sharp)).mean(axis=(0, 1, 2, 3))]
    return found
