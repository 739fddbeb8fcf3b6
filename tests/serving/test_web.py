"""The office's page as browsers and others ask it, over a socket."""

import csv
import html
import io
import json
import os
import signal
import sqlite3
import threading
import time

import openpyxl
import pytest
from PIL import Image

from sabi.grading.grader import Grader
from sabi.photographs.label_table import read_rows
from sabi.serving import web
from tests.serving.conftest import Browser, listened, said

pytestmark = pytest.mark.slow
HOSTILE = [
    "../../etc/passwd.jpg",
    "..\\..\\windows.jpg",
    "/etc/shadow.jpg",
    "nul\0byte.jpg",
    "'quoted' \"twice\".jpg",
    "<script>alert(1)</script>.jpg",
    "x" * 300 + ".jpg",
    "=cmd|' /C calc'!A0.jpg",
    "橋桁 G1\n下面.jpg",
    "{{ 7 * 7 }}.jpg",
    "\u202egpj.exe.jpg",
    "CON.jpg",
]


@pytest.fixture
def browser(served) -> Browser:
    """One that comes for the first time."""
    return Browser(served.port)


@pytest.fixture(scope="module")
def photographs(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "photographs").iterdir())}


@pytest.fixture(scope="module")
def photograph(photographs) -> bytes:
    return photographs["drawing01.jpg"]


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def rows(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_page_gives_the_graders_grade_and_score_to_the_last_bit(browser, folder, photographs):
    for name, content in photographs.items():
        assert browser.send(content, f"bridge/{name}").status == 202
    expected = Grader.load(folder / "model").grade(list(photographs.values()))
    cards = {said(card, "path"): card for card in browser.cards(len(photographs))}
    for name, row in zip(photographs, expected, strict=True):
        card = cards[f"bridge/{name}"]
        assert (float(said(card, "score")), int(said(card, "position"))) == (row.score, row.position)
        assert f'<span class="mark grade-{row.position}">{row.name}</span>' in card


def test_tables_hold_what_the_page_shows(browser, photographs):
    for name, content in photographs.items():
        browser.send(content, f"2026-11-25/{name}")
    browser.send(b"no photograph", "notes.jpg")
    cards = browser.cards(5)
    graded = sorted(
        (int(said(c, "position")), float(said(c, "score")), said(c, "path"))
        for c in cards
        if said(c, "score")
    )
    told = browser.get("/grades.csv")
    assert told.headers["Content-Disposition"] == 'attachment; filename="grades.csv"'
    header, *lines = rows(told)
    assert header == ["path", "specimen", "bridge", "date", "grade", "score", "low", "high", "look"]
    assert [(line[0], line[5]) for line in lines] == [(path, f"{score:.2f}") for _, score, path in graded]
    assert all(line[3] == "2026-11-25" and line[1] == line[0][-13:-4] for line in lines)
    book = openpyxl.load_workbook(io.BytesIO(browser.get("/grades.xlsx").content))
    sheet = book.worksheets[0]
    assert [row[1] for row in sheet.iter_rows(min_row=2, values_only=True)] == [path for _, _, path in graded]
    assert len(sheet._images) == 4  # openpyxl has no public list of them
    assert browser.get("/grades.pdf").status == 404


def test_a_photograph_is_seen_small_by_its_sender_alone(browser, served, photograph):
    key = browser.send(photograph, "a.jpg").text
    browser.cards(1)
    picture = browser.get(f"/photographs/{key}.jpg")
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(picture.content)).size) == 160
    other = Browser(served.port)
    assert other.get(f"/photographs/{key}.jpg").status == 404
    assert other.cards(0) == [] and len(rows(other.get("/grades.csv"))) == 1


def test_the_same_photograph_again_changes_nothing(browser, photograph):
    keys = {browser.send(photograph, name).text for name in ("a.jpg", "a.jpg", "b.jpg")}
    assert len(keys) == 2 and len(browser.cards(2)) == 2
    assert browser.send(photograph, "a.jpg").text in keys and len(browser.cards(2)) == 2
    assert browser.ask("POST", "/clear").status == 204 and browser.cards(0) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"GIF89a", "not a JPEG, PNG, HEIC"),
        (png(15, 40), "15 x 40 pixels; the shorter side must have 16"),
        (png(1001, 1000), "more than 1 million"),
        (png(40, 40)[:-30], "cannot be decoded"),
    ],
)
def test_what_is_no_photograph_has_a_reason(browser, content, reason):
    browser.send(content, "odd.jpg")
    (card,) = browser.cards(1)
    assert reason in card and said(card, "score") is None
    assert len(rows(browser.get("/grades.csv"))) == 1


def test_names_are_only_names(browser, served, photograph):
    for name in HOSTILE:
        assert browser.send(photograph, name).status == 202
    cards = browser.cards(len(HOSTILE))
    assert len(cards) == len(HOSTILE)
    shown = {html.unescape(said(card, "path")) for card in cards}
    assert {name for name in HOSTILE if name.isprintable()} <= shown and "nul\\x00byte.jpg" in shown
    assert not any("<script>" in card for card in cards)
    cells = [row[0] for row in rows(browser.get("/grades.csv"))]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    # Nothing was written but under names of the server's own.
    assert list(served.office.uploads.iterdir()) == []
    kept = {file.name for file in served.keep.iterdir()}
    assert all(len(name) == 68 or name == "names.csv" for name in kept)


@pytest.mark.parametrize("name", ["", "x" * 1001])
def test_a_name_has_a_length(browser, photograph, name):
    refused = browser.send(photograph, name)
    assert refused.status == 400 and "1 to 1000 characters" in refused.text


def test_uploads_are_deleted_or_kept_by_their_content(browser, served, photograph):
    browser.send(photograph, "G1/私の写真.JPG")
    browser.send(b"no photograph", "notes.jpg")
    browser.cards(2)
    assert "keeps those that are graded" in browser.get("/").text
    assert list(served.office.uploads.iterdir()) == []
    # A trained network's embeddings are not kept; if a photograph's pixels were, this would be there.
    assert not (served.keep.parent / "embeddings.db").exists()
    names = {name: file for file, name in csv.reader((served.keep / "names.csv").open(encoding="utf-8"))}
    assert (served.keep / names["G1/私の写真.JPG"]).read_bytes() == photograph and "notes.jpg" not in names


def test_too_large_is_refused_whether_the_browser_says_so_or_not(browser, served, photograph, monkeypatch):
    monkeypatch.setattr(web, "LARGEST", 0.001)
    told = browser.send(photograph, "large.jpg")
    assert (told.status, told.text) == (413, "larger than 0.001 MB; save it smaller")
    chunked = browser.ask("POST", "/photographs?name=large.jpg", iter([photograph[:900]] * 3))
    assert chunked.status == 413 and browser.cards(0) == [] and served.office.waiting == 0


def test_a_page_has_room_for_as_many_as_a_workbook(browser, photograph, monkeypatch):
    monkeypatch.setattr("sabi.serving.surveys.MOST", 1)
    assert browser.send(photograph, "one.jpg").status == 202
    refused = browser.send(photograph, "two.jpg")
    assert refused.status == 409 and "on this page already" in refused.text
    browser.cards(1)


def test_a_full_line_asks_to_come_again(browser, served, photograph, monkeypatch):
    monkeypatch.setattr(served.office, "limit", 0)
    for content in (
        photograph,
        bytes(8_000_000),
    ):  # read to its end, so that the answer arrives
        refused = browser.send(content, "a.jpg")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
    monkeypatch.setattr(served.office, "limit", 1)
    assert browser.send(photograph, "a.jpg").status == 202 and len(browser.cards(1)) == 1


def test_a_browser_that_breaks_off_leaves_nothing(browser, served, photograph):
    def half():
        yield photograph[: len(photograph) // 2]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        browser.ask("POST", "/photographs?name=a.jpg", half())
    until = time.monotonic() + 10
    while (served.office.waiting or list(served.office.uploads.iterdir())) and time.monotonic() < until:
        time.sleep(0.02)
    assert served.office.waiting == 0 and list(served.office.uploads.iterdir()) == []


def test_blind_grading_tells_nothing_before_the_inspector_has_graded(browser, served, photographs, tmp_path):
    first, second, third, _ = photographs.items()
    seen = browser.send(third[1], third[0])
    keys = [browser.send(content, name, hidden="true").text for name, content in (first, second)]
    cards = {card for card in browser.cards(3) if seen.text not in card}
    for card in cards:
        assert said(card, "score") is said(card, "position") is said(card, "action") is None
        assert "mark" not in card and "shows after yours" in card
    assert [row[0] for row in rows(browser.get("/grades.csv"))[1:]] == [third[0]]

    shown = browser.ask("POST", f"/photographs/{keys[0]}/grade?name=like+new").text
    assert said(shown, "score") and said(shown, "own") == "like new"
    assert browser.ask("POST", "/reveal").status == 204
    assert all(said(card, "score") for card in browser.cards(3))
    browser.ask("POST", f"/photographs/{keys[1]}/grade?name=3")
    browser.ask("POST", f"/photographs/{keys[1]}/grade?name=poor")  # a second thought
    assert rows(browser.get("/labels.csv")) == [
        ["file", "grade", "specimen"],
        [first[0], "like new", first[0][:-4]],
        [second[0], "poor", second[0][:-4]],
    ]
    assert rows(Browser(served.port).get("/labels.csv")) == [["file", "grade", "specimen"]]
    table = tmp_path / "labels.csv"  # as the pipeline reads it
    table.write_bytes(browser.get("/labels.csv").content)
    assert [row["grade"] for row in read_rows(table, "grade")] == ["like new", "poor"]
    with sqlite3.connect(served.office.reviews) as db:
        noted = db.execute("select path, grade, blind from review order by id").fetchall()
    assert noted[-3:] == [(first[0], "like new", 1), (second[0], "3", 0), (second[0], "poor", 0)]


def test_a_grade_that_cannot_be_kept_reveals_nothing(browser, served, photograph, tmp_path, capfd):
    key = browser.send(photograph, "a.jpg", hidden="true").text
    browser.cards(1)
    kept, served.office.reviews = served.office.reviews, tmp_path / "none/reviews.db"
    try:
        refused = browser.ask("POST", f"/photographs/{key}/grade?name=3")
    finally:
        served.office.reviews = kept
    assert refused.status == 507 and "could not be kept; try again" in refused.text
    assert said(browser.cards(1)[0], "score") is None
    err = capfd.readouterr().err
    assert "reviews.db: unable to open" in err and "a.jpg" not in err


def test_a_reason_is_in_the_browsers_language(browser):
    browser.send(b"no photograph", "odd.jpg")
    browser.headers["Accept-Language"] = "ja"
    assert "画像ではないか、先頭が壊れています" in browser.cards(1)[0]


@pytest.mark.parametrize("path", ["/photographs/none/grade?name=3", "/photographs/{key}/grade?name=6"])
def test_no_grade_for_what_is_not_there_and_none_that_is_not_on_the_scale(browser, photograph, path):
    key = browser.send(photograph, "a.jpg").text
    browser.cards(1)
    assert browser.ask("POST", path.format(key=key)).status == 404


@pytest.mark.parametrize(
    ("wish", "language", "text"),
    [
        ("ja,en;q=0.8", "ja", "写真を選択"),
        ("en-US,en;q=0.9,ja;q=0.8", "en", "Choose photographs"),
        ("de,ja;q=0.5,en;q=0.1", "ja", "写真を選択"),
        ("*", "en", "Choose photographs"),
    ],
)
def test_the_browser_chooses_the_language(browser, wish, language, text):
    page = browser.get("/", Accept_Language=wish).text
    assert f'<html lang="{language}">' in page and text in page


def test_every_answer_tells_the_browser_what_to_refuse(browser, served):
    answers = [browser.get(path) for path in ("/", "/static/page.js", "/grades.css", "/healthz", "/nowhere")]
    answers += [
        browser.get("/", Host="evil.example"),
        browser.ask("POST", "/clear", Origin="http://evil.example"),
    ]
    for answer in answers:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers
    cookie = Browser(served.port).get("/").headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie


def test_the_page_needs_nothing_from_elsewhere_and_no_script_or_style_within(browser):
    page = browser.get("/").text
    assert "http://" not in page and "https://" not in page and "style=" not in page and "<style" not in page
    assert page.count("<script") == 1 and "onclick" not in page


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost:8000@evil.example"]
)
def test_another_host_is_refused(browser, host):
    assert browser.get("/", Host=host).status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": None, "Sec_Fetch_Site": None},
    ],
)
def test_another_origin_changes_nothing(browser, headers, served):
    assert browser.ask("POST", "/photographs?name=a.jpg", b"x", **headers).status == 403
    assert served.office.waiting == 0


def test_a_token_opens_the_page_and_nothing_else_does(served, photograph):
    with listened(served.office, token="s3cret") as port:
        browser = Browser(port)
        assert browser.get("/healthz").status == 200
        for path in ("/", "/?token=", "/?token=wrong", "/grades.csv", "/static/page.js", "/version"):
            refused = browser.get(path)
            assert refused.status == 403 and "whole link" in refused.text
        assert "リンク全体" in browser.get("/", Accept_Language="ja").text
        assert browser.send(photograph, "a.jpg").status == 403
        entered = browser.get("/?token=s3cret")
        assert (entered.status, entered.headers["Location"]) == (303, "/")
        assert "s3cret" not in entered.headers["Set-Cookie"]
        assert browser.get("/").status == 200 and browser.send(photograph, "a.jpg").status == 202
        browser.cards(1)
        browser.cookies["sabi_access"] = browser.cookies["sabi_access"][:-1] + "!"
        assert browser.get("/").status == 403


def test_health_and_version(browser, served):
    assert browser.get("/healthz").text == "ok"
    assert json.loads(browser.get("/version").content)["model"] == served.office.identity


@pytest.mark.parametrize("damage", [b"", b"\xff" * 500, bytes(500)])
def test_damaged_files_leave_the_server_answering(browser, photograph, damage):
    middle = len(photograph) // 2
    browser.send(photograph[:middle] + damage, "damaged.jpg")
    assert len(browser.cards(1)) == 1 and browser.get("/healthz").text == "ok"


def test_many_browsers_at_once_lose_nothing(served, photographs):
    counts = []

    def use() -> None:
        browser = Browser(served.port)
        for name, content in photographs.items():
            assert browser.send(content, name).status == 202
        counts.append(len([card for card in browser.cards(len(photographs)) if said(card, "score")]))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [len(photographs)] * 4


def test_what_hangs_or_crashes_the_worker_ends_neither_the_server_nor_the_others(
    browser, served, photographs, capfd
):
    """The last here: it leaves the worker being started again."""
    (first, one), (second, two), *_ = photographs.items()
    former = served.worker.pid
    os.kill(former, signal.SIGSTOP)
    browser.send(one, first)
    time.sleep(0.3)  # it is in the pipe
    browser.send(two, second)
    assert browser.get("/").status == 200
    refused, graded = sorted(browser.cards(2), key=lambda card: said(card, "path") or "")
    assert first in refused and "takes longer than 3 s; save it anew and try again" in refused
    assert said(graded, "path") == second and said(graded, "score") and served.worker.pid != former

    browser = Browser(served.port)
    os.kill(served.worker.pid, signal.SIGSTOP)
    browser.send(one, first)
    time.sleep(0.3)
    os.kill(served.worker.pid, signal.SIGKILL)
    browser.headers["Accept-Language"] = "ja"
    assert "読み込むプログラムが異常終了します" in browser.cards(1)[0]
    assert browser.get("/healthz").status == 503
    assert list(served.office.uploads.iterdir()) == [] and served.office.waiting == 0
    log = "".join(capfd.readouterr())
    assert first not in log and second not in log
