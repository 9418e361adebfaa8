"""crops.h5: the same bytes however it is made, what is left out, what is reported."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import ends_in_one_line, run_well
from PIL import Image

from dbgan.data import development, h5


@pytest.fixture
def place(tmp_path, inside, write_photos, write_params):
    """place({"dotted.key": value}): photographs downloaded in the current folder, parameters changed."""
    root = inside(tmp_path / "repository")
    write_photos(root / "photos")

    def make(changes: dict | None = None) -> Path:
        write_params(root / "params.yaml", changes)
        run_well("download")
        return root

    return make


def built(root: Path) -> tuple[bytes, dict]:
    run_well("build_h5")
    return (root / "data" / "crops.h5").read_bytes(), json.loads((root / "metrics" / "build_h5.json").read_text())


def crops(root: Path, name: str) -> np.ndarray:
    return h5.Reader(root / "data" / "crops.h5").rows(name, slice(None))


def photo(root: Path, path: str) -> np.ndarray:
    return np.asarray(Image.open(root / "photos" / path))


def test_crops_are_those_of_the_photographs(place):
    root = place()
    built(root)
    for side, folder in (("blurred", "blur"), ("sharp", "sharp")):
        frames = [photo(root, f"train/{folder}/{i}.png") for i in range(4)]
        wanted = [frame[y : y + 64, :64] for frame in frames for y in (0, 8)]
        assert np.array_equal(crops(root, f"paired/{side}"), wanted)
    wanted = [photo(root, f"real_blur/{i}.png")[y : y + 64, :64] for i in range(2) for y in (0, 8)]
    assert np.array_equal(crops(root, "real/blurred"), wanted)


def test_any_number_of_workers_gives_the_same_bytes(place, monkeypatch):
    root = place()
    made = set()
    for workers in ("0", "5"):
        monkeypatch.setenv("DBGAN_WORKERS", workers)
        made.add(built(root)[0])
    assert len(made) == 1


def test_photographs_without_texture_and_their_crops_are_left_out_and_counted(place):
    root = place()
    for half, level in (("blur", 101), ("sharp", 100)):
        Image.fromarray(np.full((72, 64, 3), level, np.uint8)).save(root / "photos" / "train" / half / "1.png")
    half_flat = photo(root, "real_blur/0.png").copy()
    half_flat[4:] = 100
    Image.fromarray(half_flat).save(root / "photos" / "real_blur" / "0.png")
    root = place({"crop.min_texture": 5.0})
    _, found = built(root)
    assert (found["paired_crops"], found["paired_crops_left_out"]) == (6, 2)
    assert (found["real_crops"], found["real_crops_left_out"]) == (3, 1)
    means = [photo(root, f"train/sharp/{i}.png").mean((0, 1)) for i in (0, 2, 3)]
    assert found["mean_sharp"] == pytest.approx(np.mean(means, axis=0), abs=0.01)
    wanted = [photo(root, f"train/sharp/{i}.png")[y : y + 64] for i in (0, 2, 3) for y in (0, 8)]
    assert np.array_equal(crops(root, "paired/sharp"), wanted)
    _, found = built(place())
    assert found["paired_crops_left_out"] == found["real_crops_left_out"] == 0


def test_shift_over_1px_are_counted_and_the_worst_is_named(place):
    root = place()
    assert built(root)[1]["shift_over_1px"] == 0
    path = root / "photos" / "train" / "blur" / "2.png"
    Image.fromarray(np.roll(photo(root, "train/sharp/2.png"), 5, axis=0)).save(path)
    _, found = built(place())
    assert found["shift_over_1px"] == 1
    assert found["shift_worst"] == "train/blur/2.png"
    assert found["shift_max"] == pytest.approx(5, abs=1)


def test_means_are_those_of_the_photographs(place):
    _, found = built(place())
    root = Path()
    for domain, paths in (("sharp", [f"train/sharp/{i}" for i in range(4)]), ("real", ["real_blur/0", "real_blur/1"])):
        means = [photo(root, f"{path}.png").mean((0, 1)) for path in paths]
        assert found[f"mean_{domain}"] == pytest.approx(np.mean(means, axis=0), abs=0.01)


def test_real_photographs_that_are_larger_than_the_sharp_ones_are_reduced_to_their_scale(place):
    """Against Pillow's own reduction by 2; a JPEG's blocks are gone then, and the pairs stay as they are."""
    root = place()
    large = np.kron(photo(root, "real_blur/0.png"), np.ones((2, 2, 1), np.uint8))  # 144 x 128
    (root / "photos" / "real_blur" / "0.png").unlink()
    Image.fromarray(large).save(root / "photos" / "real_blur" / "0.jpg", quality=60)
    small = photo(root, "real_blur/1.png")  # 72 x 64: a pixel on each side is no reduction
    _, found = built(place({"scales.sample.crop.real_short_side": 64}))
    assert found["real_crops"] == found["paired_crops"] / 2 == 4
    halved = np.asarray(Image.fromarray(photo(root, "real_blur/0.jpg")).reduce(2)).astype(int)
    first = h5.Reader(root / "data" / "crops.h5").photograph("real/blurred", 0)
    assert np.abs(first - halved).max() <= 16 and np.abs(first - halved).mean() < 2  # another filter
    assert np.array_equal(crops(root, "real/blurred")[2:], [small[y : y + 64] for y in (0, 8)])
    assert not crops(root, "real/jpeg").any()
    ends_in_one_line(
        place({"scales.sample.crop.real_short_side": 63}),
        "build_h5",
        "crop",
        "real_short_side must be at least side, 64",
    )


def test_real_blur_without_any_texture_is_refused(place):
    root = place()
    for i in range(2):
        Image.fromarray(np.full((72, 64, 3), 99, np.uint8)).save(root / "photos" / "real_blur" / f"{i}.png")
    root = place({"crop.min_texture": 5.0})
    ends_in_one_line(root, "build_h5", "crop.min_texture, 5", "real")


def test_the_quantisation_of_real_photographs_is_kept_for_blurs_of_bgan(place, tmp_path):
    photographs = tmp_path / "repository" / "photos" / "real_blur"
    with Image.open(photographs / "0.png") as image:
        image.save(photographs / "0.jpg", quality=50)
    (photographs / "0.png").unlink()
    root = place()
    built(root)
    tables = crops(root, "real/jpeg")
    assert tables[0, :, 0, :3].tolist() == [[16, 11, 10], [17, 18, 24]]  # ITU T.81, annex K
    assert tables.shape == (2, 2, 8, 8) and not tables[1].any()
    assert np.array_equal(development.tables_of(h5.Reader(root / "data" / "crops.h5")), tables)
