"""The page and the command that writes it: all that a run left, safely, and clear words about what it did not."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from small_run import EVIL, ROOT

from dbgan import outputs, report
from dbgan.reporting.page import BUDGET

SECTIONS = ["figures", "test", "frames", "real", "bgan", "curves", "experiments", "parameters", "versions"]


class Elements(HTMLParser):
    """Tags with their attributes, and the text between, of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(tmp_path_factory, write_results, render) -> str:
    return render(write_results(tmp_path_factory.mktemp("run")))


def test_every_section_is_there_and_linked(page):
    elements = Elements(page)
    assert [section["id"] for section in elements.named("section")] == SECTIONS
    links = [link["href"] for link in elements.named("a")]
    assert links[: len(SECTIONS)] == [f"#{name}" for name in SECTIONS]
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_figures_stand_beside_the_input(page):
    text = " ".join(Elements(page).text.split())
    assert "+0.87 against the blurred input, better" in text
    assert re.search(r"SSIM, tables' convention ?0\.8946 ?0\.9045 ?0\.8900 ?\N{MINUS SIGN}0\.0046 worse", text)
    assert "park/a" in text
    assert "PSNR 28.00 dB blurred, 29.00 dB restored (+1.00)" in text
    assert "27.5" in text  # of the training, which is not the test's


def test_each_kind_of_picture_has_its_sliders(page):
    elements = Elements(page)
    figures = [figure["id"] for figure in elements.named("figure")]
    assert figures == ["test-0", "test-2", "real-0", "real-2", "bgan-0"]
    sources = [image["src"] for image in elements.named("img")]
    assert len(sources) == len(set(sources)) == 2 * 3 + 2 * 2 + 4
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert all(image["alt"] and image["width"] == "64" and image["height"] == "72" for image in elements.named("img"))


def test_of_many_pictures_a_few_are_shown_the_worst_and_the_best_among_them(tmp_path, write_results, render):
    panels = write_results(tmp_path) / "results" / "panels"
    rows = [{"frame": str(i), "psnr_blurred": 28.0, "psnr": 28.0 + i * (-1) ** i} for i in range(30)]
    outputs.write_csv(tmp_path / "metrics" / "frames.csv", rows)
    for i in range(1, 30):
        shutil.copy(panels / "test_0000.png", panels / f"test_{i:04d}.png")
    elements = Elements(render(tmp_path))
    shown = [int(figure["id"][5:]) for figure in elements.named("figure") if figure["id"].startswith("test-")]
    assert {0, 28, 29} < set(shown)  # the first, the best, the last and worst
    assert len(shown) == 9
    assert "21 more" in elements.text


def test_each_curve_is_drawn_and_repeated_as_a_table(page):
    elements = Elements(page)
    lines = [path["d"] for path in elements.named("path")]
    assert len(lines) == 6
    assert all(line.count("L") == 29 for line in lines)
    assert all(svg["role"] == "img" and "over steps 10 to 300" in svg["aria-label"] for svg in elements.named("svg"))
    assert "Pre-training: means of 30 rows in 15 blocks" in elements.text


def test_the_page_loads_nothing(page):
    for tag, attributes in Elements(page).tags:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            if value := attributes.get(name):
                assert value.startswith("#" if name == "href" else "data:"), (tag, value)
    assert "@import" not in page
    assert "url(" not in page


def test_a_name_is_never_code(page):
    elements = Elements(page)
    assert EVIL in elements.text
    assert EVIL not in page
    assert len(elements.named("script")) == 1
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)


def test_equal_results_are_equal_pages(tmp_path, write_results, render, page):
    assert render(write_results(tmp_path)) == page


def test_the_longest_trainings_leave_room_for_the_pictures(tmp_path, write_results, render):
    """The pictures take at most BUDGET (see test_images.py), the page below 5 MB."""
    write_results(tmp_path)
    curve = [{"step": n, **{f"loss_{k}": 0.123456 + n / (k + 1) for k in range(12)}} for n in range(100, 100_001, 100)]
    for stage in ("train_bgan", "pretrain", "finetune"):
        outputs.write_csv(tmp_path / f"metrics/{stage}_curve.csv", curve)
    page = render(tmp_path)
    pictures = sum(len(image["src"]) for image in Elements(page).named("img"))
    assert len(page.encode()) - pictures + BUDGET < 5_000_000


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("metrics/download.json", ["stage evaluate has not run", "No pictures of test", "BGAN: no curve yet"]),
        ("metrics/frames.csv", ["No pictures of real blurred", "No pictures of BGAN", "None that started from"]),
        (
            "results/panels/real_0000.png",
            ["stage evaluate has not run", "Fewer than two test frames", "Real photograph 1"],
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path, write_results, render, kept, words):
    write_results(tmp_path)
    outputs.write_json(tmp_path / "metrics" / "download.json", {"test_pairs": 3})
    for path in [*tmp_path.rglob("*.*")]:
        if path.is_file() and path != tmp_path / kept:
            path.unlink()
    text = Elements(render(tmp_path)).text
    assert [word for word in words if word not in text] == []


def test_experiments_that_dvc_cannot_list_are_not_denied(tmp_path, write_results, render):
    """The repository has one, but is none of DVC's."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    subprocess.run([*git, "update-ref", "refs/exps/00/00/sly-fox", "HEAD"], check=True)
    text = Elements(render(write_results(tmp_path))).text
    assert "DVC failed to list them" in text
    assert "None that started" not in text


@pytest.mark.parametrize(("lock", "warned"), [(None, 0), ("seed: 1e-05", 1), ("seed: 118", 0)])
def test_the_lock_beside_the_parameters_shows_what_changed_since_the_run(tmp_path, write_results, lock, warned):
    write_results(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    if lock:
        (tmp_path / "dvc.lock").write_text(f"stages: {{pretrain: {{params: {{params.yaml: {{{lock}}}}}}}}}")
    report.main(tmp_path / "metrics", tmp_path / "results" / "panels", tmp_path / "params.yaml", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("params.yaml has changed") == text.count("1e\N{MINUS SIGN}05</td><td>118") == warned


def command(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "dbgan", "report", "--params", str(ROOT / "params.yaml")],
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_writes_the_page_and_says_where(tmp_path, write_results):
    done = command(write_results(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"reports/report\.html: \d\.\d MB\n", done.stderr)
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["report.html"]
    assert len(Elements((tmp_path / "reports" / "report.html").read_text()).named("figure")) == 5


def test_without_results_the_command_ends_with_one_line(tmp_path):
    done = command(tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "run `dvc repro` first" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_broken_picture_is_named_and_the_old_page_kept(tmp_path, write_results):
    write_results(tmp_path)
    outputs.write_json(tmp_path / "reports" / "report.html", {"old": "page"})
    Image.new("RGB", (30, 9)).save(tmp_path / "results/panels/test_0000.png")
    done = command(tmp_path)
    assert done.returncode == 1
    assert "test_0000.png: not 3 photographs" in done.stderr
    assert "old" in (tmp_path / "reports" / "report.html").read_text()
