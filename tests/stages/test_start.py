"""What can be known before a stage's work is told before it: the device; that disk, memory or a file will not do."""

import re
import shutil
from types import SimpleNamespace

import h5py
import pytest
import torch
from commands import ends_in_one_line, run

from dbgan.training import run as training_run
from dbgan.training.state import State
from stages import finetune

COMPUTING = ["train_bgan", "synthesize", "pretrain", "finetune", "evaluate"]
IMAGENET = {"perceptual.weights": "imagenet", "scales.sample.perceptual.width": 64}


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


def told(stage: str, what: str) -> str:
    (line,) = [line for line in run(stage).stderr.splitlines() if line.startswith(f"{what}: ")]
    return line


def test_each_stage_says_what_computes(copied):
    for stage in COMPUTING:
        assert told(stage, "device").endswith("threads: 1, processes: 1, float32")
    for stage in ("download", "build_h5"):
        assert "threads: " in told(stage, "device")


def test_a_training_says_how_long_it_may_take(copied):
    """Of 4 updates."""
    seconds, hours = map(float, re.search(r"took (\S+) s, .* 4 take (\S+) h", told("pretrain", "time")).groups())
    assert hours == pytest.approx(4 * seconds / 3600, rel=0.1)


@pytest.fixture
def disk(monkeypatch):
    """disk(free): from now on so many bytes are free everywhere."""
    return lambda free: monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))


def test_a_download_for_which_the_disk_is_too_small_is_not_begun(tmp_path, inside, write_params, disk):
    """The paper's: all that will be fetched and written is named."""
    changes = {"scale": "paper", "data.source": "gopro", "perceptual.weights": "imagenet"}
    write_params(inside(tmp_path) / "params.yaml", changes, tiny=False)
    disk(68e9)  # 2 x 9.5 + 0.575 + 11.6 + 37.6 = 68.8
    sizes = ("GOPRO_Large.zip 9.5 GB", "GOPRO_Large.zip unpacked 9.5 GB", "crops.h5 11.6 GB", "synthetic.h5 37.6 GB")
    others = ("RWBI.zip of unknown size", "vgg19-dcbb9e9d.pth 0.6 GB", "68.0 GB free")
    ends_in_one_line(tmp_path, "download", *sizes, *others)


def test_the_files_are_as_large_as_is_told_first_and_with_less_no_stage_begins(copied, disk):
    crops, synthetic = pixels(copied, "crops.h5"), pixels(copied, "synthetic.h5")
    line = told("build_h5", "disk")
    assert f"crops.h5 {crops / 1e6:.1f} MB, synthetic.h5 {synthetic / 1e6:.1f} MB; " in line
    disk(crops + synthetic - 1)
    ends_in_one_line(copied, "build_h5", "disk too small")
    disk(synthetic - 1)
    ends_in_one_line(copied, "synthesize", "disk too small", "synthetic.h5")
    disk(1000)
    ends_in_one_line(copied, "pretrain", "disk too small", "state of the training")


def pixels(root, name: str) -> int:
    """Bytes of all photographs and crops in an H5 file."""
    sizes = []
    with h5py.File(root / "data" / name) as file:
        file.visititems(lambda _, item: sizes.append(item.nbytes if getattr(item, "ndim", 0) in (3, 4) else 0))
        jpeg = file["real/jpeg"].nbytes if "real/jpeg" in file else 0
    return sum(sizes) - jpeg


def test_the_state_of_a_training_fits_into_what_is_told_first(copied, monkeypatch):
    sizes, save = [], State.save

    def spy(self, parts, updates):
        save(self, parts, updates)
        sizes.append((self.folder / "state.pt").stat().st_size)

    monkeypatch.setattr(State, "save", spy)
    size = float(told("finetune", "disk").partition("training ")[2].partition(" MB")[0]) * 1e6
    assert 1.5 * max(sizes) < size < 4 * max(sizes)  # a second one is written beside the first


def test_weights_that_no_download_has_brought_end_a_training_at_its_start(copied, write_params, monkeypatch):
    """Without a look at the network, which a node that computes may lack."""
    monkeypatch.setattr("gdown.download", lambda *_, **__: pytest.fail("a training downloads"))
    write_params(copied / "params.yaml", IMAGENET)
    (copied / ".downloads").mkdir()
    (copied / ".downloads" / "vgg19-dcbb9e9d.pth.lock").touch()
    for stage in ("train_bgan", "finetune"):
        ends_in_one_line(copied, stage, "vgg19-dcbb9e9d.pth", "the stage download fetches it")


def test_the_download_brings_them(copied, write_params, monkeypatch):
    fetched = []
    monkeypatch.setattr("dbgan.data.download._download", lambda archive, key, out: fetched.append(key) or out.touch())
    write_params(copied / "params.yaml", IMAGENET | {"archives.vgg19.sha256": None})
    assert "download of vgg19-dcbb9e9d.pth 0.6 GB" in told("download", "disk")
    assert fetched == ["archives.vgg19"]


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


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("cpu", "took 30 s, warm-up included; at that pace 1800 take 15 h\n"),
        ("cuda", "took 2 s; at that pace 1800 take 1 h\n"),
    ],
)
def test_of_a_gpu_the_first_update_does_not_count(monkeypatch, capsys, device, told):
    """It chooses algorithms."""
    clock, costs = [0.0], iter([30.0, 2.0])

    def update(*_):
        clock[0] += next(costs)
        return {"content": torch.zeros(())}

    monkeypatch.setattr(training_run, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(training_run, "update", update)
    monkeypatch.setattr(training_run, "stream", lambda *_: iter([[]]))
    p = SimpleNamespace(accumulate=1, steps=1800)
    training_run.try_update(SimpleNamespace(networks={}), p, None, torch.device(device))
    assert capsys.readouterr().err == f"time: an update that was tried {told}"
