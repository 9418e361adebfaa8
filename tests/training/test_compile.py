"""torch.compile as a parameter: the same results under the same names of weights, and one line without a compiler."""

import shutil

import pytest
import torch
from tiny_steps import deblur, optim_params
from torch import nn

from dbgan.training.optim import ready


@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, about itself
def test_a_compiled_network_computes_the_same_under_the_same_names():
    torch.compiler.reset()
    image = torch.rand(1, 3, 8, 8)
    torch.manual_seed(0)
    plain = nn.Conv2d(3, 3, 3)
    compiled = nn.Conv2d(3, 3, 3)
    compiled.load_state_dict(plain.state_dict())
    ready(compiled, optim_params(compile=True), "cpu")
    for network in (plain, compiled):
        network(image).square().mean().backward()
    assert compiled._compiled_call_impl is not None
    torch.testing.assert_close(compiled.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-6)
    assert compiled.state_dict().keys() == plain.state_dict().keys()


def test_without_a_compiler_one_line_says_so(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"compile: true needs a C\+\+ compiler"):
        ready(deblur(), optim_params(compile=True), "cpu")
