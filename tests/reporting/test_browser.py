"""The report in a real browser: Chromium, without a window, from disk. Skipped where there is none."""

import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium")
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 180_000  # milliseconds, on a machine that is busy
SIZES = {"phone": {"width": 360, "height": 800}, "desktop": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False, args=FLAGS, timeout=PATIENCE
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory, write_results, render) -> Path:
    root = write_results(tmp_path_factory.mktemp("run"))
    path = root / "report.html"
    path.write_text(render(root), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, report):
    """opened(size, scheme): the report in a new window; when the test ends it has made no request and no error."""
    pages, wrong = [], []

    def open_page(size="desktop", scheme="light"):
        page = browser.new_page(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if request.url[:5] != "data:" else None)
        page.goto(report.as_uri())
        assert wrong.pop(0) == report.as_uri()
        pages.append(page)
        return page

    yield open_page
    assert wrong == []
    for page in pages:
        assert page.evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'))") == []
        page.close()


def shot(page, selector: str) -> bytes:
    return page.locator(selector).screenshot(caret="initial")


def test_arrow_keys_move_the_line_and_change_the_picture(opened):
    page = opened()
    slider = page.locator("#test-0 input[type=range]")
    before, place = shot(page, "#test-0 .stage"), page.locator("#test-0 .handle").bounding_box()["x"]
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    assert slider.input_value() == "70"
    assert slider.get_attribute("aria-valuetext") == "70% blurred, the rest restored"
    width = page.locator("#test-0 .stage").bounding_box()["width"]
    assert page.locator("#test-0 .handle").bounding_box()["x"] - place == pytest.approx(0.2 * width, abs=1)
    assert shot(page, "#test-0 .stage") != before


def test_the_ends_show_one_photograph_each(opened):
    page = opened()
    slider = page.locator("#test-0 input[type=range]")
    for key, share in (("Home", "0"), ("End", "100")):
        slider.press(key)
        assert slider.input_value() == share
        shown = page.evaluate("getComputedStyle(document.querySelector('#test-0 img.after')).clipPath")
        assert shown == f"inset(0px 0px 0px {share}%)"


def test_the_picture_itself_can_be_dragged(opened):
    page = opened()
    page.locator("#real-0").scroll_into_view_if_needed()
    box = page.locator("#real-0 .stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20, steps=3)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 20)
    assert page.locator("#real-0 input[type=range]").input_value() == "25"


def test_the_right_side_can_show_the_sharp_photograph(opened):
    page = opened()
    before = shot(page, "#test-0 .stage")
    page.locator("#test-0").get_by_role("radio", name="sharp").check()
    assert page.locator("#test-0 .right").text_content() == "sharp"
    assert page.locator("#test-0 img.after:visible").get_attribute("alt") == "park/a: sharp"
    assert shot(page, "#test-0 .stage") != before


def test_curves_are_drawn_and_a_step_shows_its_values_everywhere(opened):
    page = opened()
    assert page.locator(".chart svg path.line").count() == 6
    boxes = [line.bounding_box() for line in page.locator(".chart svg path.line").all()]
    assert all(box["width"] > 200 and box["height"] > 20 for box in boxes)
    training = page.locator(".training").nth(1)
    assert training.locator(".value").all_text_contents() == ["0.03333", "0"]
    training.locator("input[type=range]").press("Home")
    assert training.locator(".step").text_content() == "10"
    assert training.locator(".value").all_text_contents() == ["1", "1"]
    svg = training.locator("svg").first
    svg.scroll_into_view_if_needed()
    dot = svg.locator(".dot").bounding_box()
    training.locator("input[type=range]").press("End")
    page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    assert training.locator(".value").all_text_contents() == ["1", "1"]


def test_tab_reaches_a_slider_and_shows_where_it_is(opened):
    page = opened()
    page.locator("#test h2").click()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('figure').id") == "test-0"
    outline = page.locator("#test-0 .stage").evaluate("stage => getComputedStyle(stage).outlineStyle")
    assert outline == "solid"


def test_a_name_is_not_run(opened):
    page = opened()
    assert page.title() == "Deblurring by Realistic Blurring: report"
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=after>still here</p>')")
    assert page.locator("#after").text_content() == "still here"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out_and_axe_finds_nothing_serious(opened, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(size, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(paper.removeprefix("rgb(").split(",")[0]) < 128) == (scheme == "dark")
    violations = Axe().run(page).response["violations"]
    assert [
        (found["id"], found["impact"], [node["html"][:120] for node in found["nodes"]]) for found in violations
    ] == []
