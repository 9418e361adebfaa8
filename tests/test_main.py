"""python -m dbgan: the commands as users run them, with networks that are tiny or do nothing."""

import os
import shlex

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dbgan import checkpoint
from dbgan.__main__ import app
from dbgan.data import folders, photos
from dbgan.models.build import BLUR, DEBLUR, new_generator
from dbgan.models.released import authors_name
from dbgan.use.inference import restore

DBGAN = {"width": 4, "blocks": 1, "growth": 4, "downsample": 2}
BGAN = DBGAN | {"downsample": 1, "batch_norm": True}


def run(line):
    return CliRunner().invoke(app, shlex.split(str(line)))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def save(path, name, std, **config):
    path.parent.mkdir(exist_ok=True)
    size = (DEBLUR | BLUR)[name][1](**config)
    checkpoint.save(path, new_generator(name, size, 0, std), name, size)


@pytest.fixture
def place(tmp_path, monkeypatch, photo):
    """Two photographs, and weights where a run of the pipeline leaves them: DBGAN changes nothing."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "models/dbgan.safetensors", "dbgan", 0.0, **DBGAN)
    save(tmp_path / "other.safetensors", "dbgan", 0.1, **DBGAN)
    save(tmp_path / "models/bgan.safetensors", "bgan", 0.1, **BGAN, noise="vector")
    (tmp_path / "in").mkdir()
    for n, name in enumerate(("a.png", "b.png")):
        Image.fromarray(photo(n)).save(tmp_path / "in" / name)
    return tmp_path


def test_another_model_and_any_tiles_give_what_the_evaluation_gives(place, photo):
    assert run("deblur in/a.png --out out --model other.safetensors --tile 32").exit_code == 0
    network = checkpoint.load(place / "other.safetensors", ["dbgan"])
    found = photos.read(place / "out/a.png")[0]
    assert np.array_equal(found, restore(network, photo(0), 16))
    assert np.abs(found.astype(int) - photo(0)).max() > 5


DEBLURGAN = {"width": 2, "blocks": 1, "dropout": False, "running_statistics": True}


def test_deblurgans_authors_file_takes_photographs_in_0_to_1(place, photo):
    """Theirs are in [-1, 1]; a silent tail leaves the photograph as it is."""
    config = DEBLUR["deblurgan"][1](**DEBLURGAN)
    state = new_generator("deblurgan", config, 0, 0.1).state_dict()
    state |= {key: torch.zeros_like(state[key]) for key in ("tail.weight", "tail.bias")}
    sizes = config.model_dump()
    torch.save({authors_name("deblurgan", key, sizes): value for key, value in state.items()}, place / "theirs.pth")
    result = run("deblur in/a.png --out out --released deblurgan theirs.pth")
    assert result.exit_code == 0, result.output
    assert np.array_equal(photos.read(place / "out/a.png")[0], photo(0))


def test_the_authors_weights_are_those_of_params(place, write_params):
    write_params(place / "params.yaml", {"archives.authors_dbgan.path": "none.pth"})
    result = run("deblur in/a.png --out out --released dbgan authors")
    assert "params.yaml, archives.authors_dbgan.path: there is no file" in result.stderr


def test_one_bad_file_does_not_stop_the_rest(place):
    (place / "in/aa.jpg").write_bytes(b"no photograph")
    result = run("deblur in --out out")
    assert result.exit_code == 1
    assert files(place / "out") == ["a.png", "b.png"]
    assert "in/aa.jpg: not a readable photograph" in result.stderr
    assert "1 of 3 photographs failed" in result.stderr


def test_results_are_kept_unless_forced(place, photo):
    (place / "out").mkdir()
    (place / "out/a.png").write_text("mine")
    assert "1 results were there already" in run("deblur in --out out").stderr
    assert (place / "out/a.png").read_text() == "mine"
    assert run("deblur in --out out --force").exit_code == 0
    assert np.array_equal(photos.read(place / "out/a.png")[0], photo(0))


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("deblur none.png --out out", 1, "deblur: none.png: there are no such photographs"),
        ("deblur in --out out --model models/bgan.safetensors", 1, "holds the network 'bgan'"),
        ("deblur in --out out --released unet in/a.png", 1, "no released network is called 'unet'"),
        ("deblur in --out out --released sftnet in/a.png", 1, "it does not deblur"),
        ("deblur in --out out --tile 3", 2, "--tile"),
        ("deblur in --out out --model other.safetensors --released dbgan x.pth", 2, "not two"),
        ("blur in --out out --variants 0", 2, "--variants"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(place, line, code, message):
    before = files(place)
    result = run(line)
    assert (result.exit_code, files(place)) == (code, before)
    assert message in " ".join(result.stderr.split())
    assert code == 2 or len(result.stderr.splitlines()) == 1


def test_without_a_trained_network_it_says_what_to_do(place):
    (place / "models/dbgan.safetensors").unlink()
    assert "run `dvc repro` first" in run("deblur in --out out").stderr


def test_blurs_are_pairs_that_depend_on_name_and_seed_only(place, photo):
    result = run("blur in --out pairs --variants 2")
    assert result.exit_code == 0, result.output
    names = [f"{half}/{stem}_{k}.png" for half in ("blur", "sharp") for stem in "ab" for k in range(2)]
    assert files(place / "pairs") == names
    first = {name: (place / "pairs" / name).read_bytes() for name in names}
    assert len(set(first.values())) == 6
    assert first["sharp/a_0.png"] == (place / "in/a.png").read_bytes()
    assert run("blur in/b.png in/a.png --out again --tile 32").exit_code == 0
    found = photos.read(place / "again/blur/b_0.png")[0].astype(int)
    assert np.abs(found - photos.read(place / "pairs/blur/b_0.png")[0]).max() <= 1
    assert run("blur in --out other --seed 1").exit_code == 0
    assert (place / "other/blur/b_0.png").read_bytes() != first["blur/b_0.png"]


def test_no_sharp_photograph_is_lost_to_a_pair_and_a_format_changes_no_noise(place, photo):
    photos.write(place / "own/sharp/a.png", photo(3))
    photos.write(place / "own/sharp/a_0.png", photo(4))
    before = files(place / "own")
    assert "own/sharp/a_0.png: is one of the inputs" in run("blur own/sharp/a.png own/sharp/a_0.png --out own").stderr
    result = run("blur own/sharp/a.png --out own")
    assert (result.exit_code, files(place / "own")) == (1, before)
    assert "own/sharp/a_0.png: another photograph is there; choose another --out, or --force" in result.stderr
    assert np.array_equal(photos.read(place / "own/sharp/a_0.png")[0], photo(4))
    assert run("blur own/sharp/a.png --out own --force").exit_code == 0
    assert np.array_equal(photos.read(place / "own/sharp/a_0.png")[0], photo(3))
    (place / "own/blur/a_0.png").rename("kept.png")  # as if it had been killed before the blur was written
    assert run("blur own/sharp/a.png --out own").exit_code == 0
    assert (place / "own/blur/a_0.png").read_bytes() == (place / "kept.png").read_bytes()
    assert run("blur own/sharp/a.png --out tiff --format tiff").exit_code == 0
    assert np.array_equal(photos.read(place / "tiff/blur/a_0.tif")[0], photos.read(place / "kept.png")[0])


def test_a_photograph_that_is_stored_turned_gives_pairs_of_equal_sides(place, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo(0)).save("in/turned.png", exif=exif)
    assert run("blur in/turned.png --out pairs").exit_code == 0
    blurred, sharp = (Image.open(place / "pairs" / half / "turned_0.png") for half in ("blur", "sharp"))
    assert blurred.size == sharp.size == (72, 64)
    assert np.array_equal(np.asarray(sharp), np.rot90(photo(0), -1))


def test_whatever_is_wrong_with_a_name_costs_one_line_at_most(place, photo):
    """Names as long as disks take them, in no encoding, or the same for two."""
    names = ["x" * 251 + ".png", os.fsdecode(b"\xff\xfe.png"), "same.png", "sub/same.png"]
    for name in names:
        (place / "in" / name).parent.mkdir(exist_ok=True)
        Image.fromarray(photo(0)).save(place / "in" / name)
    result = run("deblur in in/sub --out out")
    assert result.exit_code == 1
    assert files(place / "out") == sorted(["a.png", "b.png", *names[:2], names[3]])
    clash = "deblur: in/same.png and in/sub/same.png: both would become out/same.png; give each its own --out"
    assert result.stderr.splitlines().count(clash) == 2
    result = run("blur in --out pairs")
    assert result.exit_code == 1
    assert "File name too long" in result.stderr
    blurred = ["a_0.png", "b_0.png", "same_0.png", "sub/same_0.png", os.fsdecode(b"\xff\xfe_0.png")]
    assert files(place / "pairs/blur") == files(place / "pairs/sharp") == sorted(blurred)


def test_format_and_what_heic_becomes_without_it(place, photo):
    for name in ("IMG_1.HEIC", "c.avif", "d.webp"):
        Image.fromarray(photo(0)).save(place / "in" / name)
    assert run("deblur in --out out").exit_code == 0
    assert files(place / "out") == ["IMG_1.jpg", "a.png", "b.png", "c.avif", "d.webp"]
    assert run("deblur in --out tiffs --format tiff").exit_code == 0
    assert files(place / "tiffs") == [f"{stem}.tif" for stem in ("IMG_1", "a", "b", "c", "d")]
    assert np.array_equal(photos.read(place / "tiffs/a.tif")[0], photo(0))
    assert run("blur in/IMG_1.HEIC --out pairs").exit_code == 0
    assert run("blur in/a.png --out pairs --format webp").exit_code == 0
    names = ("IMG_1_0.jpg", "a_0.webp")
    assert files(place / "pairs") == [f"{half}/{name}" for half in ("blur", "sharp") for name in names]
    assert Image.open(place / "pairs/sharp/a_0.webp").format == "WEBP"
    Image.fromarray(photo(0)).save(place / "in/IMG_1.jpg")
    result = run("deblur in --out out --force")
    clash = "in/IMG_1.HEIC and in/IMG_1.jpg: both would become out/IMG_1.jpg"
    assert (result.exit_code, result.stderr.count(clash)) == (1, 2)


def test_names_that_differ_in_suffix_or_case_alone_become_pairs_of_their_own(place, photo):
    for number, name in enumerate(["IMG_1.jpg", "IMG_1.png", "img_1.png"]):
        Image.fromarray(photo(number)).save(place / "in" / name)
    assert run("blur in --out pairs --variants 2").exit_code == 0
    assert len(folders.find(place / "pairs", 0.2).sets["train"]) == 2 * 5 - 2


def test_help_shows_examples_that_parse(place):
    assert {"deblur", "blur"} <= set(run("--help").output.split())
    for command in ("deblur", "blur"):
        shown = run(f"{command} --help").output.splitlines()
        examples = [line.split("python -m dbgan ")[1] for line in shown if "python -m dbgan " in line]
        assert len([line for line in examples if not line.startswith("[")]) >= 2
        for line in examples:
            assert run(line).exit_code != 2 or line.startswith(command + " [")
