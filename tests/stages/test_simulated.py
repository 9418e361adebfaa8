"""The simulated real blur that the evaluation measures on: its shakes are those of no training pair."""

import numpy as np
import pytest

from dbgan.data import camera_shake, manifest
from stages import evaluate


@pytest.mark.parametrize("number", range(12))
def test_the_camera_moves_as_in_no_pair_of_the_data_set(number, tmp_path, photo, monkeypatch):
    """The data set's shake k of photograph n is drawn from (seed, n, k)."""
    drawn = []
    monkeypatch.setattr(camera_shake, "blur", lambda sharp, camera, rng: drawn.append(rng.random(8)) or sharp)
    monkeypatch.setattr(manifest, "load_frame", lambda root, frame: photo(0))
    scenes = [manifest.Frame(str(n), f"{n}.png", 72, 64, "", []) for n in range(6)]
    listing = manifest.Listing("", "", [], [], [], scenes, [])
    evaluate.simulated(listing, tmp_path, None, 118, number)
    for n in range(40):
        for k in range(6):
            assert not np.array_equal(drawn[0], np.random.default_rng([118, n, k]).random(8))
