"""params.yaml: its contents, and that every fault is one line that names the key."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, PositiveFloat, PositiveInt

from dbgan import settings
from dbgan.models.build import BLUR, DEBLUR

ROOT = Path(__file__).parents[1]
ADVERSARIAL = ("beta", "objective")
SECTIONS = {
    "data": ("dbgan.data.sources", "DataParams", ()),
    "pair_camera": ("dbgan.data.camera_shake", "ShakeParams", ()),
    "real_camera": ("dbgan.data.camera_shake", "ShakeParams", ()),
    "crop": ("dbgan.data.crops", "CropParams", ()),
    "perceptual": ("dbgan.models.vgg", "PerceptualParams", ()),
    "blur_generator": ("dbgan.models.build", "BlurGeneratorParams", ()),
    "generator": ("dbgan.models.build", "GeneratorParams", ()),
    "train_bgan": ("dbgan.training.bgan", "TrainBganParams", ADVERSARIAL),
    "pretrain": ("dbgan.training.dbgan", "PretrainParams", ()),
    "finetune": ("dbgan.training.dbgan", "FinetuneParams", ("alpha", *ADVERSARIAL)),
    "mix": ("dbgan.data.batches", "MixParams", ()),
    "synthesize": ("stages.synthesize", "SynthesizeParams", ()),
    "evaluate": ("stages.evaluate", "EvaluateParams", ()),
    "archives": ("dbgan.data.download", "Archives", ()),
}
TOP = {"scale", "seed", "alpha", "beta", "objective", "init_std", "threads"}


class Part(settings.Params):
    """A section with a field of each kind that params.yaml has."""

    steps: PositiveInt
    lr: PositiveFloat
    deep: bool
    name: str
    length: tuple[float, float]


GOOD = {"steps": "5", "lr": "0.5", "deep": "true", "name": "a", "length": "[1, 2.5]"}


def written(tmp_path: Path, top: str = "", sample: str = "{}", paper: str = "{}", scale: str = "sample") -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(f"scale: {scale}\n{top}\nscales:\n  sample: {sample}\n  paper: {paper}\n")
    return path


def part(tmp_path: Path, **changes: str | None) -> Part:
    keys = {key: text for key, text in (GOOD | changes).items() if text is not None}
    top = "part:\n" + "".join(f"  {key}: {text}\n" for key, text in keys.items())
    return settings.section(settings.load(written(tmp_path, top)), "part", Part)


@pytest.mark.parametrize("text", ["1e-05", "1.0e-5", "0.00001", "+1E-5"])
def test_floats_are_read_as_dvc_writes_them(tmp_path, text):
    assert part(tmp_path, lr=text).lr == 1e-5


@pytest.mark.parametrize("text", ["1e3", "1000", "1000.0"])
def test_whole_numbers_fit_an_integer_field_and_integers_a_float_field(tmp_path, text):
    found = part(tmp_path, steps=text, lr=text, length="[1, 2]")
    assert (found.steps, found.lr, found.length) == (1000, 1000.0, (1.0, 2.0))


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("steps", None, "this key is missing"),
        ("wrong_key", "1", "unknown key"),
        ("steps", "five", "Input should be a valid integer, not 'five'"),
        *(("steps", text, "integer") for text in ("'5'", "true", "1.5", "null", "2020-01-01", ".inf")),
        ("steps", "0", "greater than 0"),
        ("lr", "'0.5'", "number"),
        *(("lr", text, "finite") for text in (".inf", ".nan")),
        ("deep", "1", "boolean"),
        ("name", "3", "string"),
        ("length", "[1, 2, 3]", "at most 2"),
        ("length", "[1, x]", "number"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(tmp_path, key, text, reason):
    with pytest.raises(ValueError, match=rf"^params.yaml, part\.{key}.*{reason}") as error:
        part(tmp_path, **{key: text})
    assert "\n" not in str(error.value)


def test_all_wrong_keys_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"part\.steps: .*; params.yaml, part\.name: "):
        part(tmp_path, steps="x", name="1")


def test_missing_sections_and_top_keys_are_named(tmp_path):
    class Seed(settings.Params):
        seed: Annotated[int, Field(ge=0)]

    values = settings.load(written(tmp_path, "part: 3\nseed: -1"))
    with pytest.raises(ValueError, match=r"^params.yaml, gone: this key is missing"):
        settings.section(values, "gone", Part)
    with pytest.raises(ValueError, match=r"^params.yaml, part: a section"):
        settings.section(values, "part", Part)
    with pytest.raises(ValueError, match=r"^params.yaml, seed: .*greater than or equal to 0, not -1"):
        settings.top(values, Seed)


def test_a_key_from_the_top_fills_a_field_and_is_named_as_it_stands_in_the_file(tmp_path):
    keys = "part: {steps: 1, deep: false, name: a, length: [1, 2]%s}\nlr: %s"
    assert settings.section(settings.load(written(tmp_path, keys % ("", 0.25))), "part", Part, ("lr",)).lr == 0.25
    with pytest.raises(ValueError, match=r"yaml, lr: .*number"):
        settings.section(settings.load(written(tmp_path, keys % ("", "fast"))), "part", Part, ("lr",))
    with pytest.raises(ValueError, match=r"part: .*lr.* top"):
        settings.section(settings.load(written(tmp_path, keys % (", lr: 1", 1))), "part", Part, ("lr",))


def test_the_chosen_scale_is_merged_in(tmp_path):
    top = "seed: 1\npart: {name: a}"
    path = written(tmp_path, top, sample="{part: {steps: 3}}", paper="{part: {steps: 9}}", scale="paper")
    assert settings.load(path) == {"scale": "paper", "seed": 1, "part": {"name": "a", "steps": 9}}


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"scale": "large"}, "scale"),
        ({"top": "seed: 1", "sample": "{seed: 2}", "paper": "{seed: 3}"}, "seed"),
        ({"top": "crop: {side: 1}", "sample": "{crop: {side: 2}}", "paper": "{crop: {side: 3}}"}, "crop.side"),
        ({"sample": "null", "paper": "null"}, "scales"),
        ({"top": "crop: [1, 2"}, "not valid YAML"),
        ({"top": "\tseed: 1"}, "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_in_one_line(tmp_path, arguments, key):
    path = written(tmp_path, **arguments)
    with pytest.raises(ValueError, match=re.escape(key)) as error:
        settings.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [b"", b"3", b"- a", b"scale: sample\nscales: {sample: {}, papier: {}}", b"\xff\xfe"])
def test_a_file_that_is_no_params_is_refused(tmp_path, text):
    (tmp_path / "params.yaml").write_bytes(text)
    with pytest.raises(ValueError, match=r"scales|not valid YAML"):
        settings.load(tmp_path / "params.yaml")


@pytest.mark.parametrize("scale", settings.SCALES)
def test_the_shipped_file_fits_every_class_at_both_scales(tmp_path, write_params, scale):
    values = settings.load(write_params(tmp_path / "params.yaml", {"scale": scale}, tiny=False))
    networks = BLUR | DEBLUR
    assert set(values) == {*TOP, *SECTIONS, *networks}
    settings.top(values, settings.Common)
    for name, (module, cls, top) in SECTIONS.items():
        cls = getattr(importlib.import_module(module), cls)
        settings.section(values, name, cls, top)
        assert all(field.is_required() for field in cls.model_fields.values()), "DVC must see every value"
    for name, (_, config) in networks.items():
        settings.section(values, name, config)


def keys(values: dict, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")


def test_no_key_has_a_name_that_dvc_leaves_out_of_its_run_cache():
    """A stage would be taken from the cache whatever its value (treeverse/dvc#10296)."""
    assert [key for key in keys(settings.read(ROOT / "params.yaml")) if key.split(".")[-1] in ("size", "nfiles")] == []


def test_the_shipped_file_is_short():
    assert len((ROOT / "params.yaml").read_text().splitlines()) <= 240
