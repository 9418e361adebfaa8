"""Weights that others published, from their files; nothing in a file is executed."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def read_tensors(path: Path) -> dict[str, Any]:
    """What a .safetensors file or a file of torch.save holds by name."""
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception:  # of many kinds, and torch's advise to execute what is in the file
        raise ValueError(f"{path}: refused, no weights file or more than tensors in it") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds no named tensors")
    return found
