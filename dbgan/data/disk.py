"""What the files of a run take on the disk, known from the photographs' sizes before one is written."""

from dbgan.data.crops import CropParams, grid, reduced_size
from dbgan.data.manifest import Listing

Needs = dict[str, float | None]  # bytes by what takes them; None: not known


def h5_files(listing: Listing, p: CropParams, noise_maps: int) -> Needs:
    """The pixels in crops.h5 and synthetic.h5; fewer with a `crop.min_texture` above 0."""
    pairs = {frame.sha256: frame for frame in [*listing.train_blurred, *listing.train_sharp]}  # equal ones: once
    pixels = sum(frame.height * frame.width for frame in pairs.values())
    for frame in listing.real_blur:
        height, width = reduced_size(frame.height, frame.width, p)
        pixels += height * width
    crops = sum(len(grid(frame.height, frame.width, p)) for frame in listing.train_sharp)
    return {"crops.h5": 3 * pixels, "synthetic.h5": synthetic(crops, noise_maps, p.side)}


def gopro(p: CropParams, noise_maps: int) -> Needs:
    """The same of GOPRO_Large's 2,103 training pairs, before they are fetched."""
    height, width, pairs = 720, 1280, 2103
    crops = pairs * len(grid(height, width, p))
    return {"crops.h5": 3 * 2 * pairs * height * width, "synthetic.h5": synthetic(crops, noise_maps, p.side)}


def synthetic(crops: int, noise_maps: int, side: int) -> float:
    return 3 * crops * noise_maps * side**2
