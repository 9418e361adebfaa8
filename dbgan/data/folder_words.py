"""What the names of folders and files say of the photographs in them: which side of a pair, which split."""

import re
from functools import cache

SIDES = {
    "blurred": {"blur", "blurry", "blurred", "blurs", "input", "inputs", "lq", "lr", "degraded"},
    "sharp": {"sharp", "gt", "groundtruth", "target", "targets", "hq", "hr", "clean", "clear"},
}
REAL = {"real"}  # with or without a word for blurred: photographs that have no sharp partner
SPLITS = {
    "train": {"train", "training"},
    "test": {"test", "testing"},
    "validation": {"val", "valid", "validation"},
}
PLAIN = {"images", "image", "imgs", "img", "photos", "photographs", "frames", "crops", "patches", "set", "data"}
KNOWN = set().union(*SIDES.values(), *SPLITS.values(), PLAIN)
SIDE_IN_NAME = re.compile(rf"(^|[ _.-]+)({'|'.join(sorted(set().union(*SIDES.values())))})(?=$|[ _.-])", re.IGNORECASE)


@cache
def meaning(name: str) -> tuple[str | None, str | None, str]:
    """The side (blurred, sharp or real) and the split that a name says, None for none or several, and what it says
    more: "" for train_blur, "blur_gamma" for train_blur_gamma."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"ground[ _.-]?truth", "groundtruth", name.lower()))
    words = [word for word in words if word and word not in PLAIN]
    splits = [split for split, known in SPLITS.items() if known & set(words)]
    words = [word for word in words if len(splits) != 1 or word not in SPLITS[splits[0]]]
    split = splits[0] if len(splits) == 1 else None
    if REAL & set(words) and not set(words) - REAL - SIDES["blurred"]:
        return "real", split, ""
    sides = [side for side, known in SIDES.items() if known & set(words)]
    more = "_".join(words) if set(words) - KNOWN or len(sides) > 1 else ""
    return sides[0] if len(sides) == 1 else None, split, more


def without_side(stem: str) -> str:
    """A file's name without the words that say its side: blur_1 and gt_1 are both 1."""
    return SIDE_IN_NAME.sub("", stem).strip(" _.-")
