"""torch.compile as a parameter: the same results under the same names of weights, and one line without a compiler."""

import sys
from functools import partialmethod

import pytest
import torch
from tiny_steps import BUILD, IMAGES, deblur, group, optim_params
from torch import nn
from torch._dynamo.utils import counters

from dbgan.training.optim import ready


@pytest.fixture
def traced(monkeypatch):
    """Compiling stops at PyTorch's graphs, which takes seconds and no C++ compiler; what makes code of them is
    PyTorch's own."""
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager"))
    monkeypatch.setenv("CXX", sys.executable)
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, about itself
@pytest.mark.parametrize("training", ["pretrain", "finetune", "cycle"])
def test_compiled_networks_train_alike_under_the_same_names(traced, training):
    changes = {"pixel_steps": 1} if training == "cycle" else {}
    plain, compiled = (BUILD[training](compile=chosen, **changes) for chosen in (False, True))
    for n in (1, 2):
        wanted, found = (step(n, group(n, IMAGES[training])) for step in (plain, compiled))
    networks = {name: part for name, part in compiled.parts().items() if isinstance(part, nn.Module)}
    assert counters["stats"]["unique_graphs"] >= len(networks)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-4, abs=1e-6), name
    for name, network in networks.items():
        assert network.state_dict().keys() == plain.parts()[name].state_dict().keys()


def test_without_a_compiler_one_line_says_so(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"compile: true needs a C\+\+ compiler"):
        ready(deblur(), optim_params(compile=True), "cpu")
