"""What the report reads: all that is there, nothing that is not, and clear words about what cannot be read."""

import pytest

from dbgan import outputs
from dbgan.reporting import results


def read(root):
    return results.read(root / "metrics", root / "results" / "panels")


def test_everything_a_run_leaves_is_read(tmp_path, write_results):
    found = read(write_results(tmp_path))
    assert set(found.metrics) == {"evaluate", "finetune"}
    assert found.metrics["finetune"] == {"psnr": 27.5, "step": 40}
    assert set(found.curves) == {"train_bgan", "pretrain", "finetune"}
    assert found.curves["pretrain"]["step"] == [10.0 * n for n in range(1, 31)]
    assert found.curves["pretrain"]["content"][3] == 0.25
    assert found.frames[1] == {"frame": "park/b", "psnr_blurred": 28.0, "psnr": 28.5}
    assert [(kind, list(panels)) for kind, panels in found.panels.items()] == [
        (k, [0, 2]) for k in ("test", "real", "bgan")
    ]


def test_a_figure_that_was_not_finite_is_none(tmp_path):
    outputs.write_csv(tmp_path / "metrics" / "frames.csv", [{"frame": "a", "psnr": float("inf")}])
    assert read(tmp_path).frames == [{"frame": "a", "psnr": None}]


def test_one_file_is_enough(tmp_path):
    outputs.write_json(tmp_path / "metrics" / "download.json", {"test_pairs": 3})
    found = read(tmp_path)
    assert found.metrics == {"download": {"test_pairs": 3}}
    assert (found.curves, found.frames, found.panels) == ({}, [], {"test": {}, "real": {}, "bgan": {}})


def test_a_frame_called_by_a_number_keeps_its_name(tmp_path):
    outputs.write_csv(tmp_path / "metrics" / "frames.csv", [{"frame": "0012", "psnr": 30.0}])
    assert read(tmp_path).frames == [{"frame": "0012", "psnr": 30.0}]


def test_no_results_at_all_is_said_in_one_line(tmp_path):
    (tmp_path / "metrics").mkdir()
    with pytest.raises(ValueError, match="no results to report: run `dvc repro` first"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("evaluate.json", "{", "evaluate.json: not valid JSON"),
        ("evaluate.json", "[1]", "evaluate.json: a JSON object is needed"),
        ("frames.csv", "frame,psnr\na,good\n", "frames.csv: not a table of figures"),
        ("frames.csv", "frame,psnr\na\n", "frames.csv: not a table of figures"),
        ("frames.csv", "frame,psnr\na,1,2\n", "frames.csv: not a table of figures"),
        ("pretrain_curve.csv", "content\n1\n", "pretrain_curve.csv: a curve is needed"),
        ("pretrain_curve.csv", "step,content\n,1\n", "pretrain_curve.csv: a curve is needed"),
        ("pretrain_curve.csv", "step,content\n1,\n", "pretrain_curve.csv: a curve is needed"),
        ("pretrain_curve.csv", "step,content\n", "pretrain_curve.csv: a curve is needed"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, message):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path)
