"""The office's page as people use it, in Chromium."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = "/usr/bin/chromium"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}"),
]
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
# As if files had been dragged there, given by their bytes.
DROP = """
async (files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, bytes] of files) dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true}));
}
"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def failed(message) -> bool:
    """Chromium also notes each answer of 429 as an error."""
    return message.type == "error" and "429" not in message.text


@pytest.fixture
def visit(chromium, served) -> Iterator:
    """A function that opens the page for the first time; in the end nothing on it has failed."""
    contexts, wrong = [], []

    def opened(language: str = "en", width: int = 1100):
        context = chromium.new_context(locale=language, viewport={"width": width, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: wrong.append(message.text) if failed(message) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(served.url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def photographs(folder) -> list[Path]:
    return sorted((folder / "photographs").iterdir())


def send(page, photographs: list[Path]) -> None:
    page.set_input_files("#photographs", photographs)
    until(page, ".card", len(photographs))


def until(page, selector: str, count: int) -> None:
    """Wait until there are so many; a string of JavaScript would be refused by the page's own rules."""
    sync_api.expect(page.locator(selector)).to_have_count(count, timeout=30_000)


def paths(page) -> list[str]:
    return page.locator(".card:visible").evaluate_all("all => all.map((card) => card.dataset.path)")


def test_photographs_that_are_dropped_are_graded_worst_first(visit, served, photographs):
    page = visit()
    files = [(file.name, list(file.read_bytes())) for file in photographs]
    page.evaluate(
        DROP, [*files, ("<img src=x onerror=alert(1)>.jpg", list(b"no photograph")), ("notes.txt", [])]
    )
    until(page, "#refused li", 2)
    until(page, ".card", len(files))
    page.get_by_text("graded: 4, waiting: 0, not graded: 2").wait_for()
    refused = page.locator("#refused").inner_text()
    assert "<img src=x onerror=alert(1)>.jpg: not a JPEG, PNG, HEIC" in refused
    assert "notes.txt: not a photograph: the name must end in .jpg, .jpeg, .png, .heic" in refused
    scores = [float(s) for s in page.locator(".card").evaluate_all("all => all.map((c) => c.dataset.score)")]
    assert scores == sorted(scores) and len(scores) == 4
    assert page.locator("[data-count]").all_inner_texts().__len__() == 3
    assert sum(map(int, page.locator("[data-count]").all_inner_texts())) == 4
    mark = page.locator(".card .mark").first
    assert mark.evaluate("mark => getComputedStyle(mark).backgroundColor") != "rgba(0, 0, 0, 0)"
    pictures = page.locator(".card img")
    assert pictures.evaluate_all("all => Promise.all(all.map((one) => one.decode())).then(() => true)")
    page.reload()
    until(page, ".card", 4)


def test_a_folder_is_sent_with_its_paths(visit, photographs, tmp_path):
    bridge = tmp_path / "bridge7/G1"
    bridge.mkdir(parents=True)
    for file in photographs[:2]:
        (bridge / file.name).write_bytes(file.read_bytes())
    page = visit()
    page.set_input_files("#folder", tmp_path / "bridge7")
    until(page, ".card", 2)
    assert sorted(paths(page)) == [f"bridge7/G1/{file.name}" for file in photographs[:2]]


def test_what_is_shown_is_found_filtered_sorted_and_downloaded(visit, photographs):
    page = visit()
    send(page, photographs)
    worst_first = paths(page)
    page.select_option("#sort", "best")
    assert paths(page) == worst_first[::-1]
    page.select_option("#sort", "path")
    assert paths(page) == [file.name for file in photographs]
    page.fill("#find", "DRAWING02")
    assert paths(page) == ["drawing02.jpg"]
    page.fill("#find", "")
    for action in ("act", "watch", "sound"):
        page.select_option("#show", action)
        shown = page.locator(".card:visible").evaluate_all("all => all.map((card) => card.dataset.action)")
        assert set(shown) <= {action}
        assert str(len(shown)) == page.locator(f"[data-count={action}]").inner_text()
    with page.expect_download() as saved:
        page.get_by_text("Table (CSV)").click()
    with Path(saved.value.path()).open(encoding="utf-8-sig") as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == worst_first
    with page.expect_download() as saved:
        page.get_by_text("Workbook (Excel)").click()
    assert saved.value.suggested_filename == "grades.xlsx"


def test_an_inspector_grades_blind_with_the_keyboard_alone(visit, photographs):
    page = visit()
    page.focus("#review")
    page.keyboard.press("Space")
    assert page.locator("#blind").is_checked()
    send(page, photographs[:2])
    assert page.locator(".card .mark").count() == 0
    first, second = paths(page)
    page.locator(".open").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#large")
    assert dialog.locator("#large-said").inner_text() == "The machine's grade shows after yours."
    original = dialog.locator("img").evaluate("one => one.decode().then(() => one.naturalWidth)")
    assert original > 160  # not the small one
    page.keyboard.press("2")
    dialog.get_by_text("score").wait_for()
    assert dialog.locator("#own [aria-pressed=true]").inner_text() == "poor"
    page.keyboard.press("ArrowRight")
    assert dialog.locator("#large-path").inner_text() == second
    page.keyboard.press("5")
    dialog.get_by_text("score").wait_for()
    page.keyboard.press("Escape")
    # The browser tells that a dialog has closed after the key; only then the page gives the focus back.
    until(page, ".card:focus-within", 1)
    focused = page.evaluate("document.activeElement.closest('.card').dataset.path")
    assert focused == second
    with page.expect_download() as saved:
        page.get_by_text("My own grades").click()
    given = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert given == ["file,grade,specimen", f"{first},poor,{first[:-4]}", f"{second},like new,{second[:-4]}"]


def test_without_the_switch_nothing_stays_hidden(visit, photographs):
    page = visit()
    page.check("#review")
    send(page, photographs[:1])
    assert page.locator(".card .mark").count() == 0
    page.uncheck("#blind")
    page.locator(".card .mark").wait_for()


def test_the_page_can_be_emptied(visit, photographs):
    page = visit()
    send(page, photographs[:1])
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#clear")
    until(page, ".card", 0)


@pytest.mark.parametrize(("language", "width"), [("en", 1100), ("en", 390), ("ja", 390)])
def test_it_fits_a_phone_and_speaks_japanese(visit, photographs, language, width, tmp_path):
    page = visit(language, width)
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate(OVERFLOW) == 0
    page.check("#review")
    page.uncheck("#blind")
    long = tmp_path / ("0123456789" * 20 + ".jpg")
    long.write_bytes(photographs[0].read_bytes())
    send(page, [*photographs, long])
    (tmp_path / "odd.jpg").write_bytes(b"no photograph")
    page.set_input_files("#photographs", tmp_path / "odd.jpg")
    page.locator("#refused li").wait_for()
    page.locator("summary").click()
    assert page.evaluate(OVERFLOW) == 0
    if language == "ja":
        seen = page.locator("main").inner_text()
        assert "評価した写真" in seen and not re.search(r"Choose|Download|worst|graded", seen)
    page.locator(".open").first.click()
    assert page.evaluate(OVERFLOW) == 0
    box = page.locator("#large").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_every_control_has_a_name_and_a_visible_focus(visit):
    page = visit()
    named = page.locator("input:visible, select:visible, button:visible")
    assert named.evaluate_all("all => all.every((one) => one.labels?.length || one.textContent.trim())")
    outlines = []
    for _ in range(3):
        page.keyboard.press("Tab")
        focused = page.locator(":focus, .button:focus-within").first
        outlines.append(focused.evaluate("one => getComputedStyle(one).outlineStyle"))
    assert outlines == ["solid"] * 3


def test_a_busy_server_is_asked_again(visit, served, photographs, monkeypatch):
    page = visit()
    monkeypatch.setattr(served.office, "limit", 0)
    monkeypatch.setattr("sabi.serving.web.AGAIN", 0.3)
    with page.expect_response(lambda response: response.status == 429):
        page.set_input_files("#photographs", photographs[:1])
    monkeypatch.setattr(served.office, "limit", 64)
    until(page, ".card", 1)
