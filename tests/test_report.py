"""The report: all that a run left, words about what it did not, safe, and usable in a real browser."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from dbgan import markdown, outputs, report, utils
from dbgan.panels import join

ROOT = Path(__file__).parents[1]
SECTIONS = ["figures", "test", "simulated", "real", "bgan", "curves", "experiments", "parameters", "versions"]
EVIL = "<script>document.title = 'owned'</script>\"' onload='x'"
FIGURES = {"psnr_blurred": 29.276323, "psnr_pretrained": 30.182084, "psnr": 30.146604, "ssim_blurred": 0.894634}
FIGURES |= {"ssim_pretrained": 0.904518, "ssim": 0.89, "delta_e": 2.16, "color_shift": [0.4, -0.25, 0.0]}
FIGURES |= {"bgan_realism": None, "new_one": 1.23456789}
PLAIN = str.maketrans("\N{MINUS SIGN}\N{EN DASH}\N{RIGHT SINGLE QUOTATION MARK}", "--'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZES = {"phone": {"width": 360, "height": 800}, "desktop": {"width": 1280, "height": 900}}
PATIENCE = 180_000  # milliseconds, on a machine that is busy


class Elements(HTMLParser):
    """Tags with their attributes, and the text between, of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += f" {data}"

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def write_run(root: Path, photo) -> Path:
    """What a run of 4 test photographs leaves, one of them with an evil name."""
    metrics, panels = root / "metrics", root / "results" / "panels"
    panels.mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", root)
    outputs.write_json(metrics / "evaluate.json", FIGURES)
    (root / "docs").mkdir()
    table = "variant,seed,oracle_share\nbaseline,118,0.5\nbaseline,119,0.8\nmix-0,118,\nfilm,118,0.1\n"
    (root / "docs" / "ablations.csv").write_text(table)
    outputs.write_json(metrics / "finetune.json", {"psnr": 27.5, "step": 40})
    names = ["park/a", "park/b", EVIL, "0012"]
    rows = [{"frame": name, "psnr_blurred": 28.0, "psnr": 28.0 + i / 2} for i, name in enumerate(names)]
    outputs.write_csv(metrics / "frames.csv", rows)
    for stage, column in (("train_bgan", "cycle_sharp"), ("pretrain", "content"), ("finetune", "psnr")):
        curve = [{"step": 10 * n, column: 1 / n, "critic": n % 3} for n in range(1, 31)]
        outputs.write_csv(metrics / f"{stage}_curve.csv", curve)
    for kind, (_, views) in report.PANELS.items():
        for number in (0, 2):
            photos = [photo(100 * sum(map(ord, kind)) + 10 * number + k) for k in range(len(views))]
            Image.fromarray(join(photos)).save(panels / f"{kind}_{number:04d}.png")
    return root


def render(root: Path) -> str:
    return report.page(root / "metrics", root / "results" / "panels", root / "params.yaml")


@pytest.fixture(scope="module")
def run(tmp_path_factory, photo) -> Path:
    root = write_run(tmp_path_factory.mktemp("run"), photo)
    report.main(root / "metrics", root / "results" / "panels", root / "params.yaml", root / "report.html")
    return root


@pytest.fixture(scope="module")
def page(run) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_the_page_holds_all_that_the_run_left(page):
    elements = Elements(page)
    assert [section["id"] for section in elements.named("section")] == SECTIONS
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    links = [link["href"] for link in elements.named("a")]
    assert len(set(ids)) == len(ids)
    assert links[: len(SECTIONS)] == [f"#{name}" for name in SECTIONS]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    text = " ".join(elements.text.split()).translate(PLAIN)
    assert "30.15 +0.87 against the blurred input, better" in text
    for said in (
        "SSIM, tables' convention 0.8946 0.9045 0.8900 -0.0046 worse",
        "levels of 255 +0.40, -0.25, +0.00",
        "sharp photographs) - ",  # realism without real photographs
        "Share of the oracle's gain on real blur, ablations 0.65 mean of 2 seeds",
        *("new one 1.23457", "delta e 2.16", "psnr 27.5", "0012 28.00 29.50 +1.50", "park/b 28.00 28.50 +0.50"),
    ):
        assert said in text, said
    figures = [figure["id"] for figure in elements.named("figure")]
    assert figures == [f"{kind}-{number}" for kind in report.PANELS for number in (0, 2)]
    assert len(elements.named("img")) == len({image["src"] for image in elements.named("img")}) == 2 * (3 + 3 + 2 + 4)
    assert all(image["alt"] and (image["width"], image["height"]) == ("64", "72") for image in elements.named("img"))
    (curve,) = (t for t in elements.named("div") if t.get("class") == "training" and "cycle_sharp" in t["data-rows"])
    assert json.loads(curve["data-rows"])[3] == {"step": 40, "cycle_sharp": 0.25, "critic": 1.0}
    assert page.count('class="chart"') == 6
    assert "alpha 0.005" in text and "`dvc exp show`" not in text and "torch" in text


def test_the_page_loads_nothing_and_no_name_is_code(page):
    elements = Elements(page)
    for tag, attributes in elements.tags:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            if value := attributes.get(name):
                assert value.startswith("#" if name == "href" else "data:"), (tag, value)
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in page and "url(" not in page
    assert EVIL in elements.text and EVIL not in page
    assert len(elements.named("script")) == 1


def test_what_a_run_has_not_made_is_named(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    outputs.write_json(tmp_path / "metrics" / "download.json", {"test_pairs": 3})
    outputs.write_csv(tmp_path / "metrics" / "frames.csv", [{"frame": "a", "psnr": float("inf"), "psnr_blurred": 1.0}])
    elements = Elements(render(tmp_path))
    text = " ".join(elements.text.split())
    assert "stage evaluate has not run" in text and "fewer than two test photographs" in text
    assert text.count("no curve yet") == 3
    assert text.count("No panels of") == 4
    assert "test pairs" in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics/evaluate.json", "{", "evaluate.json: cannot be read"),
        ("metrics/evaluate.json", "[1]", "evaluate.json: cannot be read"),
        ("metrics/frames.csv", "frame,psnr\na,good\n", "frames.csv: cannot be read"),
        ("results/panels/test_0000.png", "no picture", "test_0000.png: cannot be read"),
        ("dvc.lock", "[1]", "dvc.lock: cannot be read"),
    ],
)
def test_a_damaged_file_is_named_and_the_old_page_kept(tmp_path, photo, name, content, message):
    write_run(tmp_path, photo)
    (tmp_path / name).write_text(content)
    paths = [tmp_path / "metrics", tmp_path / "results" / "panels", tmp_path / "params.yaml", tmp_path / "page.html"]
    paths[3].write_text("old")
    with pytest.raises(ValueError, match=re.escape(message)):
        report.main(*paths)
    assert paths[3].read_text() == "old"
    assert report.attempt(*paths) == []


def test_without_any_result_the_command_ends_with_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(utils.app(report.main), [])
    assert done.exit_code == 1
    assert done.stderr == "report: metrics and results/panels hold no results to report: run `dvc repro` first\n"
    assert list(tmp_path.iterdir()) == []


def test_of_many_pictures_a_few_are_shown_the_worst_and_the_best_among_them(tmp_path, photo):
    panels = write_run(tmp_path, photo) / "results" / "panels"
    rows = [{"frame": str(i), "psnr_blurred": 28.0, "psnr": 28.0 + i * (-1) ** i} for i in range(30)]
    outputs.write_csv(tmp_path / "metrics" / "frames.csv", rows)
    for i in range(1, 30):
        shutil.copy(panels / "test_0000.png", panels / f"test_{i:04d}.png")
    elements = Elements(render(tmp_path))
    shown = [int(figure["id"][5:]) for figure in elements.named("figure") if figure["id"].startswith("test-")]
    assert {0, 28, 29} < set(shown)  # the first, the best, the last and worst
    assert len(shown) == 9
    assert "folder holds more" in elements.text


def test_pictures_shrink_together_to_the_budget(monkeypatch, tmp_path, photo):
    Image.fromarray(join([photo(k, 600, 900) for k in range(3)])).save(tmp_path / "test_0001.png")
    monkeypatch.setattr(report, "BUDGET", 200_000)
    shown = report.compare({kind: {} for kind in report.PANELS} | {"test": {1: tmp_path / "test_0001.png"}}, [])
    assert 100_000 < sum(map(len, shown["test"][0]["uris"].values())) <= 200_000


def test_curves_are_means_of_neighbours(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "ROWS", 3)
    (tmp_path / "a.csv").write_text("step,x\n1,1\n2,3\n3,4\n4,5\n5,7\n")
    drawn, rows = report.curve(tmp_path / "a.csv")
    assert rows == [{"step": 2, "x": 2.0}, {"step": 4, "x": 4.5}, {"step": 5, "x": 7.0}]
    assert [row["x"] for row in drawn] == [1, 3, 4, 5, 7]


@pytest.mark.parametrize(
    ("value", "digits", "sign", "shown"),
    [(-0.004, 2, False, "0.00"), (0.5, 2, True, "+0.50"), (-0.5, 2, True, "-0.50"), (1e-6, None, False, "1e-06"),
     (12, 2, False, "12"), ([0.1, -1.0], 1, False, "+0.1, -1.0"), (None, 2, False, "-"), (True, None, False, "True")],
)  # fmt: skip
def test_text_of_a_figure(value, digits, sign, shown):
    assert report.text(value, digits, sign).translate(PLAIN) == shown


def test_parameters_that_changed_since_the_run_are_named(tmp_path):
    params = {"alpha": 0.01, "scales.sample": 1, "pretrain": {"steps": 9}, "evaluate": {"margin": 8}}
    lock = """
stages:
  finetune: {params: {params.yaml: {alpha: 0.005, scales.sample.pretrain: {steps: 9}}}}
  evaluate: {params: {params.yaml: {evaluate: {margin: 16}}}}
"""
    (tmp_path / "dvc.lock").write_text(lock)
    assert report.changed(tmp_path / "dvc.lock", params) == {"alpha": (0.005, 0.01)}


def test_experiments_are_listed_with_what_differs(tmp_path, monkeypatch):
    """As `dvc exp show --csv --only-changed` prints them."""
    shown = "Experiment,rev,typ,Created,metrics/evaluate.json:psnr,metrics/finetune.json:psnr,alpha,data/crops.h5\n"
    rows = [",workspace,baseline,,30.12,29,0.005,a1\n", "ours,50b421d,branch_base,2026,30.3,28,0.01,b2\n"]
    calls = {"for-each-ref": "refs/exps/x"}
    monkeypatch.setattr(report, "output", lambda root, *command, patience=None: calls.get(command[1], calls.get("exp")))
    calls |= {"exp": shown + "".join(rows)}
    found = report.experiments(tmp_path, {"alpha", "psnr"})
    assert found == [
        {"experiment": "workspace", "psnr": "30.12", "alpha": "0.005"},
        {"experiment": "ours", "psnr": "30.3", "alpha": "0.01"},
    ]
    calls["exp"] = "rev,Created\nworkspace,\nmain,2026\n"  # all experiments started from other commits
    assert report.experiments(tmp_path, {"alpha"}) == []
    calls["for-each-ref"] = ""
    assert report.experiments(tmp_path, {"alpha"}) == []


def test_a_folder_without_git_and_a_command_that_hangs_are_no_fault(tmp_path):
    assert report.experiments(tmp_path, set()) is None
    assert report.versions(tmp_path)["Commit"] == "not a git repository"
    with pytest.raises(ValueError, match="timed out"):
        report.output(tmp_path, sys.executable, "-c", "import time; time.sleep(9)", patience=0.2)


def test_tables_are_filled_between_their_marks(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n")
    markdown.fill(path, "x", markdown.table([["p", "q"], [1, None]]))
    assert path.read_text() == "a\n<!-- x -->\n| p | q |\n|---|---|\n| 1 | - |\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match=r"page\.md: the marks <!-- y -->"):
        markdown.fill(path, "y", "")


# ---- In Chromium, from disk, without a window ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        flags = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=flags, timeout=PATIENCE
        )
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, run):
    """opened(size, scheme): the report in a new window, which makes no request and no error."""
    address, wrong = (run / "report.html").as_uri(), []

    def open_page(size="desktop", scheme="light"):
        page = browser.new_page(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if request.url[:5] != "data:" else None)
        page.goto(address)
        return page

    yield open_page
    assert set(wrong) == {address}


@pytest.mark.slow
def test_sliders_follow_keys_pointer_and_choice(opened):
    page = opened()
    slider, stage = page.locator("#test-0 input[type=range]"), page.locator("#test-0 .stage")
    before = stage.screenshot()
    page.locator("#test h2").click()
    page.keyboard.press("Tab")
    assert stage.evaluate("stage => getComputedStyle(stage).outlineStyle") == "solid"
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "70% blurred, the rest restored"
    assert stage.screenshot() != before
    slider.press("Home")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#test-0 .after')).clipPath") == "inset(0px 0px 0px 0%)"
    )
    page.locator("#test-0").get_by_role("radio", name="sharp").check()
    assert page.locator("#test-0 .right").text_content() == "sharp"
    assert page.locator("#test-0 .after:visible").get_attribute("alt") == "park/a: sharp"
    page.locator("#real-0").scroll_into_view_if_needed()
    box = page.locator("#real-0 .stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20, steps=3)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 20)
    assert page.locator("#real-0 input[type=range]").input_value() == "25"
    assert page.title() == "Deblurring by Realistic Blurring: report"  # no name was run


@pytest.mark.slow
def test_curves_are_drawn_and_a_step_shows_its_values(opened):
    page = opened()
    boxes = [line.bounding_box() for line in page.locator(".plot path").all()]
    assert len(boxes) == 6
    assert all(box["width"] > 150 and box["height"] > 50 for box in boxes)
    training = page.locator(".training").nth(1)
    assert training.locator(".chart output").all_text_contents() == ["0.03333", "0"]
    training.locator("input").press("Home")
    assert training.locator(".step").text_content() == "10"
    assert training.locator(".chart output").all_text_contents() == ["1", "1"]
    plot = training.locator(".plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    assert training.locator(".step").text_content() == "150"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out_and_axe_finds_nothing(opened, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(size, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(paper.removeprefix("rgb(").split(",")[0]) < 128) == (scheme == "dark")
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], [node["html"][:120] for node in found["nodes"]]) for found in violations] == []
