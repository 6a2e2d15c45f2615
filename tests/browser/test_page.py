"""The report in a real browser: no error, no request, hover, zoom, both themes, accessibility."""

import io
import os
import re
import shutil
from pathlib import Path

import pytest

from simulator import compare, load, sweep
from simulator.report import write_report
from simulator.study.axis import rank
from tests.report.conftest import SCENARIO
from tests.report.test_report import SWEEP

pytestmark = pytest.mark.browser

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module")
def browser():
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    assert program, "no Chromium found; install it or name it in CHROMIUM"
    from playwright.sync_api import sync_playwright  # `make test-browser` installs it

    with sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=program, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(run_folder, tmp_path_factory) -> str:
    path: Path = write_report(run_folder, tmp_path_factory.mktemp("page") / "report.html")
    return path.as_uri()


def opened(context, address):
    """A page that keeps what went wrong and what it asked for."""
    found = context.new_page()
    found.problems, found.requests = [], []
    found.on("console", lambda m: found.problems.append(m.text) if m.type == "error" else None)
    found.on("pageerror", lambda error: found.problems.append(str(error)))
    found.on("request", lambda request: found.requests.append(request.url))
    found.goto(address)
    return found


@pytest.fixture(params=["light", "dark"])
def page(request, browser, address):
    context = browser.new_context(
        color_scheme=request.param, viewport={"width": 1000, "height": 900}, offline=True
    )
    yield opened(context, address)
    context.close()


@pytest.fixture(scope="module", params=["comparison", "ranking", "sweep"])
def study_address(request, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("study")
    calm = load(SCENARIO).with_({"run.horizon": "3 s", "run.warm_up": "1 s", "faults": []})
    match request.param:
        case "comparison":
            far = calm.with_("sites.lyon.internet.isp.delay", "14 ms")
            place = compare(calm, far, replications=3, names=["near", "far"]).save(folder / "out")
        case "ranking":
            skus = ["VpnGw1AZ", "VpnGw2AZ", "Basic"]
            place = rank(calm, "gateways.hub-vpn.sku", skus).save(folder / "out")
        case _:
            (folder / "base.yaml").write_text(SCENARIO, encoding="utf-8")
            (folder / "design.yaml").write_text(SWEEP, encoding="utf-8")
            place = sweep(folder / "design.yaml", folder / "out", workers=1).url
    return write_report(place, folder / "page.html").as_uri()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_studies_open_quietly_fit_and_are_accessible(browser, study_address, theme):
    context = browser.new_context(
        color_scheme=theme, viewport={"width": 1000, "height": 900}, offline=True
    )
    found = opened(context, study_address)
    assert found.problems == []
    assert found.requests == [study_address]
    assert found.evaluate("document.documentElement.scrollWidth") <= 1_000
    assert serious_faults(found) == []
    drawings = [box.bounding_box() for box in found.locator("figure.drawing svg").all()]
    assert drawings
    assert all(box["width"] > 700 and box["height"] > 100 for box in drawings)
    context.close()


def serious_faults(page) -> list[tuple[str, list[str]]]:
    """What axe-core finds of a serious or critical kind."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    return [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in serious]


def test_it_opens_without_errors_or_requests(page, address):
    assert page.problems == []
    assert page.requests == [address]


def test_hovering_shows_the_values_at_the_cursor(page):
    frame = page.locator("#throughput-over-time .frame")
    tip = frame.locator(".tip")
    assert not tip.is_visible()
    frame.scroll_into_view_if_needed()
    frame.locator("svg").hover(position={"x": 400, "y": 100})
    assert tip.is_visible()
    text = tip.inner_text()
    assert re.search(r"simulated time \(s\): \d+ to \d+\n", text)
    assert re.search(r"backup forward: [\d.]+ Mbit/s", text)


def test_a_line_goes_and_comes_with_its_key(page):
    figure = page.locator("#throughput-over-time")
    key, line = figure.locator(".key").first, figure.locator("path.line").first
    assert "off" not in line.get_attribute("class")
    key.click()
    assert key.get_attribute("aria-pressed") == "false"
    assert "off" in line.get_attribute("class")
    key.click()
    assert "off" not in line.get_attribute("class")


def test_the_axis_fits_what_is_shown(page):
    figure = page.locator("#throughput-over-time")
    before = figure.locator(".y-ticks text").last.text_content()
    figure.locator(".key").first.click()  # the largest of all
    smaller = figure.locator(".y-ticks text").last.text_content()
    assert float(smaller) < float(before)
    figure.get_by_role("button", name="All lines").click()
    assert figure.locator(".y-ticks text").last.text_content() == before


def test_buttons_zoom_for_those_who_cannot_drag(page):
    figure = page.locator("#throughput-over-time")
    line, back = figure.locator("path.line").first, figure.get_by_role("button", name="Whole range")
    whole = line.get_attribute("d")
    assert back.is_disabled()
    figure.get_by_role("button", name="Zoom in").click()
    assert whole.count("H") == 30
    assert line.get_attribute("d").count("H") == 16  # from 7.5 to 22.5 s: the outer ones are cut
    ticks = [float(text) for text in figure.locator(".x-ticks text").all_text_contents()]
    assert all(tick == round(tick, 6) and 7.5 <= tick <= 22.5 for tick in ticks)
    back.click()
    assert line.get_attribute("d").count("H") == whole.count("H")
    assert back.is_disabled()


def test_what_the_script_draws_is_what_stands_in_the_file(browser, address):
    drawn = {}
    for has_script in (True, False):
        context = browser.new_context(java_script_enabled=has_script)
        found = context.new_page()
        found.goto(address)
        drawn[has_script] = [
            (line.get_attribute("class"), line.get_attribute("d"))
            for line in found.locator("#loss-over-time path.line").all()
        ] + found.locator("#loss-over-time svg text").all_text_contents()
        context.close()
    assert drawn[True] == drawn[False]


def test_a_tap_shows_the_values_and_a_narrow_window_leaves_letters_readable(browser, address):
    context = browser.new_context(
        viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True
    )
    found = context.new_page()
    found.goto(address)
    svg = found.locator("#throughput-over-time svg")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    found.touchscreen.tap(box["x"] + 200, box["y"] + 100)
    assert found.locator("#throughput-over-time .tip").is_visible()
    assert svg.locator("text.label").first.bounding_box()["height"] >= 9
    context.close()


def test_on_paper_the_marks_are_explained_and_buttons_are_gone(page):
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.marks li").first.is_visible()
    assert not page.locator(".tools").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("details.marks li").first.is_visible()


def test_drawings_have_the_paper_of_the_page(page):
    from PIL import Image

    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for drawing in page.locator("figure.drawing svg").all():
        image = Image.open(io.BytesIO(drawing.screenshot())).convert("L")
        counts = image.histogram()
        assert counts.index(max(counts)) == (23 if dark else 255), "lightness of --paper"
        assert any(counts[150:] if dark else counts[:100]), "and something is drawn on it"


def test_dragging_zooms_and_a_double_click_goes_back(page):
    figure = page.locator("#throughput-over-time")
    svg, line = figure.locator("svg"), figure.locator("path.line").first
    svg.scroll_into_view_if_needed()
    whole = line.get_attribute("d")
    box = svg.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 100)
    page.mouse.up()
    zoomed = line.get_attribute("d")
    assert zoomed.count("H") < whole.count("H") / 2
    svg.dblclick(position={"x": 400, "y": 100})
    assert line.get_attribute("d").count("H") == whole.count("H")


def test_boxes_lie_inside_the_page_and_one_below_the_other(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 1_000
    tops = [box["y"] for box in (h.bounding_box() for h in page.locator("h2").all())]
    assert tops == sorted(tops)
    decision = page.locator("#decision").bounding_box()
    assert decision["y"] + decision["height"] < 900, "the decision is seen without scrolling"


def test_themes_differ_and_text_stands_out(page):
    assert serious_faults(page) == []


def test_a_narrow_window_scrolls_tables_not_the_page(browser, address):
    context = browser.new_context(viewport={"width": 420, "height": 800})
    found = context.new_page()
    found.goto(address)
    assert found.evaluate("document.documentElement.scrollWidth") <= 420
    context.close()
