"""What can be known before a stage's work is told before it: the device; that disk, memory or a file will not do."""

import pytest
import torch
from commands import ends_in_one_line, run

from stages import finetune

COMPUTING = ["train_bgan", "synthesize", "pretrain", "finetune", "evaluate"]


@pytest.mark.parametrize("stage", COMPUTING)
def test_the_papers_scale_without_a_gpu_stops_before_any_file_is_read(tmp_path, inside, write_params, stage):
    """No file is there."""
    write_params(inside(tmp_path) / "params.yaml", {"scale": "paper"})
    checks = ("no GPU", "nvidia-smi", torch.__version__, "CUDA_VISIBLE_DEVICES ('')", "DBGAN_DEVICE=cpu")
    ends_in_one_line(tmp_path, stage, *checks)


@pytest.mark.parametrize("stage", COMPUTING)
def test_the_cpu_may_be_asked_for(tmp_path, inside, write_params, monkeypatch, stage):
    write_params(inside(tmp_path) / "params.yaml", {"scale": "paper"})
    monkeypatch.setenv("DBGAN_DEVICE", "cpu")
    ends_in_one_line(tmp_path, stage, "crops.h5")
    monkeypatch.setenv("DBGAN_DEVICE", "gpu")
    ends_in_one_line(tmp_path, stage, "DBGAN_DEVICE=gpu")


def test_each_stage_says_what_computes(copied):
    for stage in COMPUTING:
        (line,) = [line for line in run(stage).stderr.splitlines() if line.startswith("device: ")]
        assert line.endswith(", threads: 1, processes: 1, float32")


def test_memory_that_an_update_lacks_ends_a_training_before_its_first(copied, monkeypatch):
    """Found by one update on a copy, of the kind with the most networks."""
    seen = []

    def losses(self, batch, draw, n):
        seen.append(n)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        yield

    monkeypatch.setattr(finetune.Finetune, "losses", losses)
    ends_in_one_line(copied, "finetune", "out of memory", "finetune.batch", "checkpointing")
    assert seen == [4]  # of 4 updates


def test_an_update_that_is_tried_changes_nothing(copied, monkeypatch):
    """Of a training with BatchNorm and two networks."""
    expected = (copied / "models" / "dbgan.safetensors").read_bytes()
    tried = []
    monkeypatch.setattr("dbgan.training.run.try_update", lambda *_: tried.append(1))
    assert run("finetune").exit_code == 0
    assert tried
    assert (copied / "models" / "dbgan.safetensors").read_bytes() == expected
