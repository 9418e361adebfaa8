"""The evaluation's panels, its limits, and that nothing after it can make it fail."""

from itertools import product

import numpy as np
import pytest
from commands import evaluated, files, run, run_well
from scipy.ndimage import gaussian_filter

from dbgan import metrics, realism, report
from dbgan.data import camera_shake


def panels(root):
    return {path.name for path in (root / "results" / "panels").iterdir()}


def test_the_worst_and_the_best_test_photograph_always_have_a_panel(copied, write_params, monkeypatch):
    write_params(copied / "params.yaml", {"evaluate.panels": 1})
    monkeypatch.setattr(metrics, "by_gain", lambda rows: [0, len(rows) - 1])  # so few updates gain the same
    run_well("evaluate")
    assert panels(copied) == {"bgan_0000.png", "real_0000.png", "test_0000.png", "test_0001.png"}


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_crops_of_a_kind_are_compared_than_the_parameters_say(copied, write_params, monkeypatch, limit):
    compared, measure = {}, metrics.bgan_blurs

    def spy(sharp, paired, blurs, real):
        compared.update(sharp=len(sharp), paired=len(paired), maps=len(blurs), real=len(real))
        assert all(len(made) == len(sharp) for made in blurs)
        return measure(sharp, paired, blurs, real)

    monkeypatch.setattr(metrics, "bgan_blurs", spy)
    write_params(copied / "params.yaml", {"evaluate.crops": limit})
    run_well("evaluate")
    assert 1 <= compared["sharp"] == compared["paired"] <= limit
    assert (compared["maps"], compared["real"]) == (4, limit)


def test_simulated_real_blur_is_measured_and_shown_and_is_no_shake_of_a_training_pair(
    copied, chain, write_params, monkeypatch
):
    """Shake k of part p of photograph n of the data set is drawn from (seed, n, p, k), the oracle's of photograph n
    from (seed, n, 5, k). Real blur that BGAN's is compared with is of the same crops."""
    drawn, compared = [], []
    blur, compare = camera_shake.blur, realism.compare

    def spy(sharp, camera, rng):
        drawn.append(np.random.Generator(type(rng.bit_generator)(rng.bit_generator.seed_seq)).random(4))
        return blur(sharp, camera, rng)

    write_params(copied / "params.yaml", {"data.real": "sample", "data.real_shakes": 1})
    run_well("download")
    monkeypatch.setattr(camera_shake, "blur", spy)
    monkeypatch.setattr(realism, "compare", lambda *crops: compared.append(crops) or compare(*crops))
    run_well("evaluate")
    assert {name for name in panels(copied) if "simulated" in name} == {"simulated_0000.png", "simulated_0011.png"}
    assert len(drawn) == 2 * 6 + 2
    others = product(range(13), (0, 1, 2, 3, 5), range(8))
    shakes = [*drawn, *(np.random.default_rng([118, *other]).random(4) for other in others)]
    assert len(np.unique(shakes, axis=0)) == len(shakes)
    ((sharp, _, _, real, before),) = compared
    assert before is sharp
    for one, other in zip(sharp, real, strict=True):  # blurred, yet of the same scene
        assert np.abs(one.astype(int) - other).mean() > 1
        assert np.corrcoef(gaussian_filter(one, 4).ravel(), gaussian_filter(other, 4).ravel())[0, 1] > 0.6
    found = evaluated(copied)
    assert found.keys() == evaluated(chain).keys() and None not in found.values()
    assert 10 < found["psnr_real_blurred"] < found["psnr_blurred"]  # by a camera that shakes over more pixels
    for state in ("_pretrained", ""):  # networks of 4 updates change next to nothing
        assert abs(found[f"psnr_real{state}"] - found["psnr_real_blurred"]) < 1


def test_no_more_real_photographs_are_restored_than_the_parameters_say(copied, chain, write_params, monkeypatch):
    """Which are left out is said; the first and, with several, the last are among those that are not."""
    seen, measure = [], metrics.real
    monkeypatch.setattr(metrics, "real", lambda photo, restored: seen.append(photo) or measure(photo, restored))
    write_params(copied / "params.yaml", {"evaluate.real": 1})
    result = run("evaluate")
    assert result.exit_code == 0
    assert "1 of 2 real blurred photographs are left out (evaluate.real: 1)" in result.stderr
    assert len(seen) == 1
    found, before = evaluated(copied), evaluated(chain)
    assert {name for name in found if found[name] != before[name]} == set(metrics.REAL)


@pytest.mark.parametrize("workers", [0, 3])
def test_threads_that_measure_change_nothing(copied, chain, monkeypatch, workers):
    monkeypatch.setenv("DBGAN_WORKERS", str(workers))
    run_well("evaluate")
    assert files(copied) == files(chain)


def test_a_report_that_fails_costs_a_line_and_nothing_else(copied, chain, monkeypatch):
    def fail(*_):
        raise RuntimeError("of any kind")

    (copied / "metrics" / "evaluate.json").unlink()
    monkeypatch.setattr(report, "page", fail)
    run_well("evaluate")
    assert evaluated(copied) == evaluated(chain)
