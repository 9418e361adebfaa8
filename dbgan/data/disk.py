"""What the files of a run take on the disk, known from the photographs' sizes before one is written."""

from collections.abc import Iterable

from dbgan.data.crops import CropParams, grid

GOPRO = [(720, 1280)] * 2103  # GOPRO_Large's training pairs

Size = tuple[int, int]  # height and width


def h5_files(pairs: Iterable[Size], real: Iterable[Size], p: CropParams, noise_maps: int) -> dict[str, float | None]:
    """The bytes of crops.h5 and synthetic.h5; with a `crop.min_texture` above 0 they are fewer."""
    pairs = list(pairs)
    pixels = 2 * sum(height * width for height, width in pairs) + sum(height * width for height, width in real)
    crops = sum(len(grid(height, width, p)) for height, width in pairs)
    return {"crops.h5": 3 * pixels, "synthetic.h5": 3 * crops * noise_maps * p.side**2}
