"""Costs are counted as they are said to be, and only a full measurement changes files."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import networks
from dbgan.reporting import markdown

ROOT = Path(__file__).parents[1]
SMALL = ["--height", "16", "--width", "24"]


@pytest.fixture
def small(monkeypatch):
    """One tiny network and frame, measured in this process."""
    monkeypatch.setattr(networks, "NETWORKS", {"srresnet": ("srresnet", {"width": 4, "blocks": 1, "scale": 1})})
    monkeypatch.setattr(networks, "FRAME", (16, 24))
    monkeypatch.setattr(networks, "WARM_UP", (8, 8))
    monkeypatch.setattr(networks, "in_own_process", lambda function, *arguments: function(*arguments))


def run(*arguments: str):
    return CliRunner().invoke(networks.app, arguments)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("dbgan", 11.59),
        ("srresnet", 1.26),
        ("deblurgan", 11.38),
        ("sftnet", 1.53),
        ("mprnet", 20.13),
        ("nafnet-width32", 17.11),
        ("nafnet-width64", 67.89),
    ],
)
def test_networks_have_their_published_size(name, millions):
    found = networks.size(name, 16, 24)
    assert found["parameters"] / 1e6 == pytest.approx(millions, abs=0.005)
    assert found["flops"] > 0


def test_each_network_has_its_row_in_the_test_above():
    marks = test_networks_have_their_published_size.pytestmark
    assert [name for name, _ in marks[0].args[1]] == list(networks.NETWORKS)


def test_a_multiply_add_is_two_flops(small):
    """Every conv of it works at full resolution: each weight that is no bias is used once for each pixel."""
    biases, weights = 5 * 4 + 3, 9 * (3 * 4 + 4 * 4 * 4 + 4 * 3)
    assert networks.size("srresnet", 16, 24) == {"parameters": weights + biases, "flops": 2 * weights * 16 * 24}


@pytest.mark.parametrize(("long", "runs"), [(60, networks.RUNS), (0, 1)])
def test_a_short_run_is_repeated_and_a_long_one_is_not(small, monkeypatch, long, runs):
    monkeypatch.setattr(networks, "LONG", long)
    found = networks.speed("srresnet", 16, 24, bfloat16=False)
    assert found["runs"] == runs
    assert found["seconds"] > 0
    assert found["peak_bytes"] > 2**20


def test_a_full_run_writes_results_and_both_tables(small, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    marked = "before\n<!-- networks -->\nold\n<!-- /networks -->\nafter\n"
    for readme in networks.READMES["networks"]:
        (tmp_path / readme).write_text(marked)
    result = run(*SMALL)
    assert result.exit_code == 0, result.output
    for readme in networks.READMES["networks"]:
        assert (tmp_path / readme).read_text() == marked.replace("old\n", result.stdout)
    results = json.loads((tmp_path / "benchmarks" / "results.json").read_text())["networks"]
    assert {"cpu", "threads", "gpu", "torch", "height", "width", "rows"} <= results.keys()
    assert [row["network"] for row in results["rows"]] == ["srresnet"]
    assert "| srresnet | 0.00 |" in result.stdout


def test_results_of_one_benchmark_leave_those_of_others(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    networks.record("networks", {"rows": []})
    networks.record("suite", {"ratios": [1]})
    networks.record("networks", {"rows": [2]})
    found = json.loads((tmp_path / "benchmarks" / "results.json").read_text())
    assert found == {"networks": {"rows": [2]}, "suite": {"ratios": [1]}}


def test_a_readme_without_marks_is_named_and_stays_as_it_is(tmp_path):
    (tmp_path / "README.md").write_text("<!-- networks -->\nbut no end")
    with pytest.raises(ValueError, match=r"README\.md: the marks <!-- networks --> and <!-- /networks -->"):
        networks.show("networks", "table")
    assert (tmp_path / "README.md").read_text() == "<!-- networks -->\nbut no end"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize("name", networks.READMES)
def test_the_committed_readmes_have_their_marks(name):
    for readme in networks.READMES[name]:
        assert "new table" in markdown.filled(ROOT / readme, {name: "new table"})


def test_a_quick_run_writes_nothing(small, tmp_path):
    result = run("--height", "8", "--width", "24", "--only", "srresnet", "--only", "srresnet")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("| srresnet |") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--only", "unet"], "no network is called unet"), (["--height", "0"], "at least 1")]
)
def test_wrong_options_are_one_line(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_too_little_memory_for_one_precision_leaves_the_rest(small, monkeypatch):
    def speed(name: str, height: int, width: int, bfloat16: bool) -> dict[str, float]:
        if not bfloat16:
            raise MemoryError("killed")
        return {"seconds": 2.0, "runs": 1, "peak_bytes": 2**30}

    monkeypatch.setattr(networks, "speed", speed)
    row = networks.measure("srresnet", 16, 24, bfloat16=True)
    assert row["float32"] is None
    place = {"gpu": "a GPU", "cpu": "", "threads": 1, "torch": "2", "height": 16, "width": 24}
    assert networks.table({**place, "rows": [row]}).endswith("| - | 0.5 | - | 1.0 |")


def test_each_measurement_has_a_process_of_its_own():
    assert networks.in_own_process(os.getpid) != os.getpid()
    with pytest.raises(MemoryError, match="without a result"):
        networks.in_own_process(os._exit, 9)
