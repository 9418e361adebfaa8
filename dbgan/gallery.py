"""The README's pictures, cut from the panels at their own size: python -m dbgan.gallery results/panels docs/gallery"""

from pathlib import Path

import numpy as np
from PIL import Image

from dbgan import utils
from dbgan.panels import save_grid, split

# Each picture's rows: panels, how many photographs each holds and how many of them are shown, and the rows and columns
# that are cut out of each photograph.
PICTURES = {
    "deblurred.jpg": [
        ([("test_0000", 3, 3)], np.s_[10:226, 110:398]),
        ([("test_0007", 3, 3)], np.s_[80:296, 120:408]),
        ([("test_0011", 3, 3)], np.s_[60:276, 130:418]),
    ],
    "real.jpg": [
        ([("simulated_0000", 3, 3)], np.s_[10:226, 110:398]),
        ([("simulated_0006", 3, 3)], np.s_[80:296, 120:408]),
        ([("simulated_0017", 3, 3)], np.s_[60:276, 130:418]),
    ],
    "bgan.jpg": [  # the last is the real camera's blur of the same photograph
        ([("bgan_0000", 4, 3), ("simulated_0000", 3, 1)], np.s_[290:504, 90:304]),
        ([("bgan_0004", 4, 3), ("simulated_0006", 3, 1)], np.s_[60:274, 110:324]),
        ([("bgan_0011", 4, 3), ("simulated_0017", 3, 1)], np.s_[60:274, 130:344]),
    ],
}


def main(panels: Path, out: Path) -> None:
    """Cut the README's pictures out of the panels in PANELS and write them to OUT."""
    for name, rows in PICTURES.items():
        grid = []
        for cells, part in rows:
            photos = [split(np.asarray(Image.open(panels / f"{panel}.png")), of)[:shown] for panel, of, shown in cells]
            grid.append([photo[part] for row in photos for photo in row])
        save_grid(grid, out / name)


app = utils.app(main)

if __name__ == "__main__":
    app()
