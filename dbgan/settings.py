"""Reads params.yaml, once per stage, into frozen and typed classes; every fault is one line naming the key."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, ValidationError

SCALES = ("sample", "paper")

# What NumPy's and PyTorch's random generators take; numbers of batches are added to it.
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Params(BaseModel):
    """A section of params.yaml, without defaults; each class stands beside the code that it steers.

    "3" is no number, 1 is no bool, an unknown key, NaN and infinity are errors.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


P = TypeVar("P", bound=Params)
T = TypeVar("T")


class Common(Params):
    seed: Seed
    threads: PositiveInt  # of the CPU
    init_std: NonNegativeFloat  # of the Gaussian that weights start from


class _Loader(yaml.CSafeLoader):
    """libyaml's SafeLoader that reads YAML 1.2 floats: DVC writes 1e-05, a string to PyYAML."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    """1000.0 -> 1000: `-S key=1e3` arrives as a float; strict float fields still take an integer."""
    value = loader.construct_yaml_float(node)
    return int(value) if value.is_integer() else value


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+0123456789."),
)


def load(path: Path) -> dict[str, Any]:
    """params.yaml as one nested dict, the values of the chosen scale merged in."""
    return merged(read(path), path)


def read(path: Path) -> Any:
    """params.yaml or dvc.lock as it stands."""
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def parse(text: str) -> Any:
    return yaml.load(text, _Loader)


def merged(params: Any, path: Path) -> dict[str, Any]:
    """The result of `read`, `scales.<scale>` merged in; no key stands both there and at the top."""
    scales = params.get("scales") if isinstance(params, dict) else None
    if not isinstance(scales, dict) or {key: type(keys) for key, keys in scales.items()} != dict.fromkeys(SCALES, dict):
        raise ValueError(f"{path}, scales: must hold exactly the sections {' and '.join(SCALES)}, each with keys")
    if params.get("scale") not in SCALES:
        raise ValueError(f"{path}, scale: {params.get('scale')!r} is not one of {', '.join(SCALES)}")
    top = {key: value for key, value in params.items() if key != "scales"}
    return _merge(top, scales[params["scale"]], f"{path}, ")


def section(params: Mapping[str, Any], name: str, cls: type[P], top: tuple[str, ...] = ()) -> P:
    """One section of params.yaml as `cls`, with the keys `top` from its top; ValueError names each wrong key."""
    values = _get(params, name)
    if not isinstance(values, dict):
        raise ValueError(f"params.yaml, {name}: a section with keys is needed, not {values!r}")
    if twice := values.keys() & set(top):
        raise ValueError(f"params.yaml, {name}: {sorted(twice)} stand at the top of the file, not here")
    return _check(cls, values | {key: _get(params, key) for key in top}, name, top)


def top(params: Mapping[str, Any], cls: type[P]) -> P:
    """The keys of `cls` from the top of the file, as in `section`."""
    return _check(cls, {key: _get(params, key) for key in cls.model_fields}, "", tuple(cls.model_fields))


def value(params: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """One value by its dotted name, where the section is another stage's."""
    found: Any = params
    for key in name.split("."):
        found = _get(found, key) if isinstance(found, dict) else None
    if not isinstance(found, kind):
        raise ValueError(f"params.yaml, {name}: must be of type {kind.__name__}, not {found!r}")
    return found


def _get(params: Mapping[str, Any], name: str) -> Any:
    if name not in params:
        raise ValueError(f"params.yaml, {name}: this key is missing")
    return params[name]


def _check(cls: type[P], values: dict, section: str, top: tuple[str, ...]) -> P:
    try:
        return cls.model_validate_json(json.dumps(values, default=str))  # JSON: a list may be a tuple
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            keys = [str(part) for part in fault["loc"]]
            where = ".".join(keys if keys and keys[0] in top else [section, *keys])
            message = {
                "missing": "this key is missing",
                "extra_forbidden": "unknown key",
                "value_error": fault["msg"].removeprefix("Value error, "),  # raised by the class itself
            }.get(fault["type"], f"{fault['msg']}, not {fault['input']!r}")
            faults.append(f"params.yaml, {where}: {message}")
        raise ValueError("; ".join(faults)) from None


def _merge(base: dict, scale: dict, where: str) -> dict:
    merged = base | scale
    for key in (key for key in scale if key in base):
        if not (isinstance(base[key], dict) and isinstance(scale[key], dict)):
            raise ValueError(f"{where}{key}: set both at the top and in the scale")
        merged[key] = _merge(base[key], scale[key], f"{where}{key}.")
    return merged
