"""params.yaml: what is read, and that every fault is one line that names the key."""

import dataclasses
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dbgan import settings
from dbgan.data.batches import MixParams

SHIPPED = Path(__file__).parents[1] / "params.yaml"
ADVERSARIAL = {key: key for key in ("beta", "objective", "critic")}
SECTIONS = {
    "data": ("dbgan.data.sources", "DataParams", {}),
    "camera": ("dbgan.data.camera_shake", "ShakeParams", {}),
    "real_camera": ("dbgan.data.camera_shake", "ShakeParams", {}),
    "crop": ("dbgan.data.crops", "CropParams", {}),
    "perceptual": ("dbgan.models.vgg", "PerceptualParams", {}),
    "archives": ("dbgan.data.download", "Archives", {}),
    "bgan": ("dbgan.training.bgan_cycle", "BganParams", ADVERSARIAL),
    "bgan_network": ("dbgan.models.bgan", "BlurConfig", {}),
    "synthesize": ("stages.synthesize", "SynthesizeParams", {}),
    "mix": ("dbgan.data.batches", "MixParams", {}),
    "generator": ("dbgan.models.build", "GeneratorParams", {}),
    "blur_generator": ("dbgan.models.build", "BlurGeneratorParams", {}),
    "sftnet_network": ("dbgan.models.sftnet", "SFTBlurConfig", {}),
    "dbgan": ("dbgan.models.dbgan", "DeblurConfig", {}),
    "srresnet": ("dbgan.models.srresnet", "SRResNetConfig", {}),
    "deblurgan": ("dbgan.models.deblurgan", "DeblurGANConfig", {}),
    "sftnet": ("dbgan.models.sftnet", "SFTConfig", {}),
    "mprnet": ("dbgan.models.mprnet", "MPRNetConfig", {}),
    "nafnet": ("dbgan.models.nafnet", "NAFNetConfig", {}),
    "pretrain": ("dbgan.training.optim", "OptimParams", {}),
    "finetune": ("dbgan.training.finetune", "FinetuneParams", {"alpha": "alpha"} | ADVERSARIAL),
    "evaluate": ("stages.evaluate", "EvaluateParams", {}),
}
VALUES = {
    "seed": int,
    "alpha": float,
    "beta": float,
    "init_std": float,
    "threads": int,
    "objective": str,
    "critic": str,
}


@dataclass(frozen=True)
class Part:
    """A section with a field of each kind that params.yaml has."""

    steps: int
    lr: float
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


def the_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("text", ["1e-05", "1.0e-5", "0.00001", "+1E-5"])
def test_floats_are_read_as_yaml_1_2_writes_them(tmp_path, text):
    assert part(tmp_path, lr=text).lr == 1e-5


@pytest.mark.parametrize("text", ["1e3", "1000", "1000.0"])
def test_whole_numbers_fit_an_integer_field(tmp_path, text):
    steps = part(tmp_path, steps=text).steps
    assert steps == 1000
    assert type(steps) is int


def test_an_integer_fits_a_float_field_and_a_list_a_tuple_field(tmp_path):
    found = part(tmp_path, lr="1", length="[1, 2]")
    assert found.lr == 1.0
    assert found.length == (1.0, 2.0)


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("steps", None, "missing"),
        ("wrong_key", "1", "unknown"),
        ("steps", "'5'", "integer"),
        ("steps", "five", "integer"),
        ("steps", "true", "integer"),
        ("steps", "1.5", "integer"),
        ("steps", "null", "integer"),
        ("steps", "2020-01-01", "integer"),
        ("steps", ".inf", "integer"),
        ("lr", "'0.5'", "number"),
        ("deep", "1", "boolean"),
        ("name", "3", "string"),
        ("length", "[1]", "missing"),
        ("length", "[1, 2, 3]", "at most 2"),
        ("length", "[1, x]", "number"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(tmp_path, key, text, reason):
    with pytest.raises(ValueError, match=rf"part\.{key}.*{reason}") as error:
        part(tmp_path, **{key: text})
    the_line(error)


def test_what_a_class_itself_refuses_is_told_in_its_own_words(tmp_path):
    values = settings.load(written(tmp_path, "mix: {realistic: 1.5}"))
    with pytest.raises(ValueError) as error:
        settings.section(values, "mix", MixParams)
    assert the_line(error) == "params.yaml, mix: mix.realistic must be from 0 to 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "params.yaml, part.steps: this key is missing"),
        ("five", "params.yaml, part.steps: Input should be a valid integer, not 'five'"),
    ],
)
def test_the_other_messages_are_plain_too(tmp_path, text, message):
    with pytest.raises(ValueError) as error:
        part(tmp_path, steps=text)
    assert the_line(error) == message


def test_two_wrong_keys_are_both_named(tmp_path):
    with pytest.raises(ValueError) as error:
        part(tmp_path, steps="x", name="1")
    assert "part.steps" in the_line(error)
    assert "part.name" in str(error.value)


@pytest.mark.parametrize("name", ["part", "seed"])
def test_a_missing_section_or_value_is_named(tmp_path, name):
    values = settings.load(written(tmp_path))
    with pytest.raises(ValueError, match=f"{name}: this key is missing") as error:
        settings.section(values, name, Part) if name == "part" else settings.value(values, name, int)
    the_line(error)


def test_a_section_that_is_no_section_is_named(tmp_path):
    with pytest.raises(ValueError, match="part: a section"):
        settings.section(settings.load(written(tmp_path, "part: 3")), "part", Part)


def test_an_ill_typed_single_value_is_named(tmp_path):
    values = settings.load(written(tmp_path, "seed: '118'"))
    with pytest.raises(ValueError, match=r"seed: .*integer") as error:
        settings.value(values, "seed", int)
    the_line(error)


def test_a_key_from_the_top_fills_a_field_and_is_named_as_it_stands_in_the_file(tmp_path):
    keys = "part: {steps: 1, deep: false, name: a, length: [1, 2]}\n"
    values = settings.load(written(tmp_path, keys + "rate: 0.25"))
    assert settings.section(values, "part", Part, lr="rate").lr == 0.25
    values = settings.load(written(tmp_path, keys + "rate: fast"))
    with pytest.raises(ValueError, match=r"yaml, rate: .*number"):
        settings.section(values, "part", Part, lr="rate")


def test_a_key_that_belongs_to_the_top_is_refused_in_its_section(tmp_path):
    values = settings.load(written(tmp_path, "part: {steps: 1, lr: 1, deep: false, name: a, length: [1, 2]}\nlr: 1"))
    with pytest.raises(ValueError, match=r"part: .*lr.* top"):
        settings.section(values, "part", Part, lr="lr")


def test_the_chosen_scale_is_merged_in(tmp_path):
    top = "seed: 1\npart: {name: a}"
    path = written(tmp_path, top, sample="{part: {steps: 3}}", paper="{part: {steps: 9}}", scale="paper")
    assert settings.load(path) == {"scale": "paper", "seed": 1, "part": {"name": "a", "steps": 9}}


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"scale": "large"}, "scale"),
        ({"scale": "null"}, "scale"),
        ({"sample": "{crop: {size: 1}}"}, "crop"),
        ({"paper": "{mix: {}}"}, "mix"),
        ({"top": "seed: 1", "sample": "{seed: 2}", "paper": "{seed: 3}"}, "seed"),
        ({"top": "crop: {size: 1}", "sample": "{crop: {size: 2}}", "paper": "{crop: {size: 3}}"}, "crop.size"),
        ({"top": "seed: 1\nseed: 2"}, "seed stands twice"),
        ({"top": "seed: 1\nseed: 1"}, "seed stands twice"),
        ({"top": "crop: {size: 1, size: 2}"}, "size stands twice"),
        ({"top": "crop: {size: 1}\ncrop: {stride: 1}"}, "crop stands twice"),
        ({"sample": "{crop: {size: 1, size: 2}}"}, "size stands twice"),
        ({"sample": "null", "paper": "null"}, "scales.sample"),
        ({"paper": "3"}, "scales.paper"),
        ({"top": "crop: [1, 2"}, "not valid YAML"),
        ({"top": "seed: 1\n  alpha: 2"}, "not valid YAML"),
        ({"top": "\tseed: 1"}, "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_in_one_line(tmp_path, arguments, key):
    path = written(tmp_path, **arguments)
    with pytest.raises(ValueError, match=re.escape(key)) as error:
        settings.load(path)
    assert str(path) in the_line(error)


@pytest.mark.parametrize("text", ["", "3", "- a", "scale: sample", "scale: sample\nscales: 3"])
def test_a_file_without_scales_is_refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="scales"):
        settings.load(path)


def test_scales_other_than_ours_are_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("scale: sample\nscales: {sample: {}, papier: {}}")
    with pytest.raises(ValueError, match="papier"):
        settings.load(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xff\xfe\x00scale")
    with pytest.raises(ValueError, match="not valid YAML") as error:
        settings.load(path)
    the_line(error)


@pytest.mark.parametrize("scale", settings.SCALES)
def test_the_shipped_file_fits_every_class_at_both_scales(tmp_path, write_params, scale):
    values = settings.load(write_params(tmp_path / "params.yaml", {"scale": scale}, tiny=False))
    assert set(values) == {"scale", *SECTIONS, *VALUES}
    for name, kind in VALUES.items():
        settings.value(values, name, kind)
    for name, (module, cls, extra) in SECTIONS.items():
        found = settings.section(values, name, getattr(importlib.import_module(module), cls), **extra)
        first = dataclasses.fields(found)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(found, first, getattr(found, first))


@pytest.mark.parametrize("section", ["bgan", "finetune"])
@pytest.mark.parametrize("key", ["objective", "critic"])
def test_an_unknown_objective_or_critic_is_named_in_one_line(tmp_path, write_params, section, key):
    module, cls, extra = SECTIONS[section]
    values = settings.load(write_params(tmp_path / "params.yaml", {key: "hinge"}))
    with pytest.raises(ValueError, match=f"^params.yaml, {key}: .*not 'hinge'$") as error:
        settings.section(values, section, getattr(importlib.import_module(module), cls), **extra)
    the_line(error)


@pytest.mark.parametrize(
    ("section", "key", "wrong"),
    [
        ("dbgan", "downsample", 0),
        ("bgan_network", "width", 0),
        ("perceptual", "width", 0),
        ("bgan", "critic_width", 0),
        ("bgan", "pixel_steps", -1),
        ("finetune", "critic_width", 0),
        ("srresnet", "scale", 2),
        ("srresnet", "width", 0),
        ("deblurgan", "signed", True),
        ("deblurgan", "blocks", 0),
        ("sftnet", "condition_channels", 0),
        ("sftnet_network", "blocks", 0),
        ("mprnet", "reduction", 0),
        ("mprnet", "reduction", 1000),
        ("mprnet", "unet_growth", -1),
        ("nafnet", "decoder_blocks", [1, 1, 1, 1, 1]),
        ("nafnet", "encoder_blocks", [1, 1, -1]),
        ("nafnet", "train_size", 0),
    ],
)
def test_sizes_that_cannot_be_are_refused_by_their_section(tmp_path, write_params, section, key, wrong):
    module, cls, extra = SECTIONS[section]
    values = settings.load(write_params(tmp_path / "params.yaml", {f"scales.sample.{section}.{key}": wrong}))
    with pytest.raises(ValueError, match=f"^params.yaml, {section}: ") as error:
        settings.section(values, section, getattr(importlib.import_module(module), cls), **extra)
    the_line(error)


def test_no_class_has_defaults_so_that_dvc_sees_every_value():
    for module, cls, _ in SECTIONS.values():
        for field in dataclasses.fields(getattr(importlib.import_module(module), cls)):
            assert field.default is field.default_factory is dataclasses.MISSING, f"{cls}.{field.name}"


def leaves(node: yaml.Node, path: str = "") -> Iterator[tuple[str, int]]:
    """The dotted keys of a YAML mapping that hold no section, and the line each stands on."""
    for key, value in node.value:
        at = f"{path}.{key.value}".lstrip(".")
        if isinstance(value, yaml.MappingNode):
            yield from leaves(value, at)
        else:
            yield at, key.start_mark.line


def test_every_key_of_the_shipped_file_stands_on_a_line_of_its_own_with_a_comment():
    """The second camera alone repeats the first one's keys without their comments."""
    text = SHIPPED.read_text()
    found = dict(leaves(yaml.compose(text)))
    assert len(set(found.values())) == len(found)
    bare = {key for key, line in found.items() if not text.splitlines()[line].partition("  # ")[2].strip()}
    assert bare == {key for key in found if key.startswith("real_camera.")}
    assert {key.replace("real_camera.", "camera.") for key in bare} == {k for k in found if k.startswith("camera.")}
