"""The README's pictures, cut from the panels at their own size: python -m dbgan.gallery results/panels docs/gallery"""

from pathlib import Path

import numpy as np
from PIL import Image

from dbgan import utils
from dbgan.panels import save_grid, split

# Each picture's rows: a panel, how many photographs it holds, and the rows and columns that are cut out of each.
PICTURES = {
    "deblurred.jpg": [
        ("test_0000", 3, np.s_[10:226, 110:398]),
        ("test_0007", 3, np.s_[80:296, 120:408]),
        ("test_0011", 3, np.s_[60:276, 130:418]),
    ],
    "real.jpg": [("real_0000", 2, np.s_[120:400, 10:442]), ("real_0010", 2, np.s_[230:510, 60:492])],
    "bgan.jpg": [
        ("bgan_0000", 4, np.s_[290:504, 90:304]),
        ("bgan_0004", 4, np.s_[60:274, 110:324]),
        ("bgan_0011", 4, np.s_[60:274, 130:344]),
    ],
}


def main(panels: Path, out: Path) -> None:
    """Cut the README's pictures out of the panels in PANELS and write them to OUT."""
    for name, rows in PICTURES.items():
        photos = [(split(np.asarray(Image.open(panels / f"{panel}.png")), count), part) for panel, count, part in rows]
        save_grid([[photo[part] for photo in row] for row, part in photos], out / name)


app = utils.app(main)

if __name__ == "__main__":
    app()
