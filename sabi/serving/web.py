"""The office's page: what it shows, and what its buttons ask for."""

import asyncio
import hashlib
import os
import secrets
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import ClientDisconnect

from sabi.grading.card import card_of
from sabi.grading.model import ModelSpec, identity
from sabi.grading.specimens import ACT, SOUND, WATCH
from sabi.photographs.files import SUFFIXES, printable
from sabi.report.colours import grade_colours, ink_on
from sabi.report.pictures import MOST
from sabi.report.templates import template
from sabi.serving import reviews, tables, workbook
from sabi.serving.access import language_of
from sabi.serving.desk import Desk
from sabi.serving.grading import facts_of
from sabi.serving.reviews import Review
from sabi.serving.surveys import Entry, Survey, Surveys, full
from sabi.serving.worker import Job, Outcome
from sabi.words.texts import LANGUAGES, Language, texts, translated

LARGEST = 100  # megabytes of one photograph
LONGEST = 1000  # characters of its name
WAITING = 64  # photographs, of all browsers together: what lies on the disk at a time
SENDING = 600  # seconds that a browser may take to send one
AGAIN = 2  # seconds until a browser that was refused may ask again
PLACE = Path(__file__).parent
STYLE = PLACE.parent / "report/style.css"  # which all pages share
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass
class Office:
    """What the server works with."""

    model: Path
    desk: Desk
    uploads: Path  # a folder for what is on its way
    reviews: Path  # the inspectors' grades
    limit: int = WAITING
    spec: ModelSpec = field(init=False)
    identity: str = field(init=False)
    drawings: bool = field(init=False)  # whether the model learnt from drawings
    facts: dict[Language, list[tuple[str, str]]] = field(init=False)
    waiting: int = 0  # photographs that are being sent or graded
    surveys: Surveys = field(default_factory=Surveys)

    def __post_init__(self) -> None:
        self.spec, self.identity, card = ModelSpec.read(self.model), identity(self.model), card_of(self.model)
        self.drawings = card is not None and card.drawings > 0
        self.facts = {name: facts_of(self.model, self.spec, card, name) for name in LANGUAGES}


def make_app(office: Office) -> FastAPI:
    """The routes; `sabi.serving.access.guard` says who may use them."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=PLACE / "static"))
    page, card = template(PLACE / "page.html.j2"), template(PLACE / "card.html.j2")

    def card_html(entry: Entry, language: Language) -> str:
        reason = entry.outcome.reason if entry.outcome is not None else None
        said = {"t": texts(language), "reason": reason and translated(reason, language)}
        return card.render(entry=entry, spec=office.spec, **said)

    @app.get("/healthz")
    async def healthz() -> Response:
        ready = office.desk.ready
        return PlainTextResponse("ok" if ready else "the model is being loaded", 200 if ready else 503)

    @app.get("/version")
    async def about() -> dict[str, str]:
        return {"sabi": version("sabi"), "model": office.identity}

    @app.get("/")
    async def first(request: Request) -> Response:
        survey, language = office.surveys.get(request.state.inspector), language_of(request)
        shown = page.render(
            t=texts(language),
            language=language,
            facts=office.facts[language],
            spec=office.spec,
            actions=(ACT, WATCH, SOUND),
            drawings=office.drawings,
            kept=office.desk.keep is not None,
            largest=LARGEST,
            most=MOST,
            suffixes=SUFFIXES,
            reviewed=any(entry.hidden or entry.own for entry in survey.entries.values()),
        )
        return HTMLResponse(shown)

    @app.get("/style.css")
    async def style() -> Response:
        return FileResponse(STYLE)

    @app.get("/grades.css")
    async def colours() -> Response:
        rules = [
            f".grade-{number} {{ background: {colour}; color: {ink_on(colour)}; }}\n"
            for number, colour in enumerate(grade_colours(len(office.spec.grades)), start=1)
        ]
        return Response("".join(rules), media_type="text/css")

    @app.post("/photographs")
    async def add(request: Request, name: str, hidden: bool = False) -> Response:
        """Take one photograph, the request's body; its grade is asked for afterwards."""
        say = texts(language_of(request))
        room: Survey | Response
        if not 0 < len(name) <= LONGEST:
            room = PlainTextResponse(say["name_too_long"].format(count=LONGEST), 400)
        elif office.waiting >= office.limit:
            room = _busy(say)
        else:
            room = _room(office, request, say)
        if isinstance(room, Response):
            # Read to its end: a browser takes an answer amid what it sends for a broken line.
            with suppress(ClientDisconnect, TimeoutError):
                await _received(request, Path(os.devnull))
            return room
        office.waiting += 1
        file, handed_over = office.uploads / f"{secrets.token_hex(16)}{SUFFIXES[0]}", False
        try:
            sha256 = await _received(request, file)
            if sha256 is None:
                return PlainTextResponse(say["too_large"].format(megabytes=LARGEST), 413)
            room = _room(office, request, say)  # once more: while this one came, others did, too
            if isinstance(room, Response):
                return room
            key = hashlib.sha256(f"{sha256} {name}".encode("utf-8", "surrogatepass")).hexdigest()
            if key not in room.entries:  # else it is dropped once more, and stays as it is
                entry = Entry(key, printable(name), sha256, hidden, room.count)
                room.entries[key] = entry
                office.desk.submit(Job(name, file), _deliverer(office, room, entry))
                handed_over = True
            return Response(key, 202, media_type="text/plain")
        except (ClientDisconnect, TimeoutError):
            return PlainTextResponse(say["not_sent"], 408)
        except OSError:
            return PlainTextResponse(say["disk_full"], 507)
        finally:
            if not handed_over:
                office.waiting -= 1
                file.unlink(missing_ok=True)

    @app.get("/photographs")
    async def news(request: Request, after: int = 0) -> dict[str, Any]:
        """The cards that are new since the survey's count was `after`."""
        survey, language = office.surveys.get(request.state.inspector), language_of(request)
        changed = survey.since(after)
        return {
            "count": survey.count,
            "cards": [card_html(entry, language) for entry in changed],
            "waiting": survey.waiting,
        }

    @app.get("/photographs/{key}.jpg")
    async def picture(request: Request, key: str) -> Response:
        entry = office.surveys.get(request.state.inspector).entries.get(key)
        if entry is None or entry.outcome is None or not entry.outcome.picture:
            return Response(status_code=404)
        return Response(entry.outcome.picture, media_type="image/jpeg")

    @app.post("/photographs/{key}/grade")
    async def review(request: Request, key: str, name: str) -> Response:
        """Keep the inspector's own grade; the machine's may be seen from now on."""
        survey = office.surveys.get(request.state.inspector)
        entry = survey.entries.get(key)
        row = entry.outcome.row if entry is not None and entry.outcome is not None else None
        if entry is None or row is None or name not in office.spec.grades:
            return Response(status_code=404)
        given = Review(
            inspector=request.state.inspector,
            path=entry.path,
            sha256=entry.sha256,
            specimen=row["specimen"],
            grade=name,
            blind=entry.hidden,
            machine_grade=row["grade"],
            machine_score=row["score"],
            model=office.identity,
        )
        try:
            await run_in_threadpool(reviews.add, office.reviews, given)
        except sqlite3.Error as error:
            print(f"error: {office.reviews}: {error}", file=sys.stderr)
            return PlainTextResponse(texts(language_of(request))["not_kept"], 507)
        entry.own, entry.hidden = name, False
        survey.touch(entry)
        return HTMLResponse(card_html(entry, language_of(request)))

    @app.post("/reveal")
    async def reveal(request: Request) -> Response:
        survey = office.surveys.get(request.state.inspector)
        for entry in survey.entries.values():
            if entry.hidden:
                entry.hidden = False
                survey.touch(entry)
        return Response(status_code=204)

    @app.post("/clear")
    async def clear(request: Request) -> Response:
        office.surveys.drop(request.state.inspector)
        return Response(status_code=204)

    @app.get("/grades.csv")
    async def table(request: Request) -> Response:
        graded, _ = office.surveys.get(request.state.inspector).graded()
        return await _attached(
            office, "grades.csv", CSV, lambda file: tables.write_csv(tables.for_people(graded), file)
        )

    @app.get("/grades.xlsx")
    async def book(request: Request) -> Response:
        graded, pictures = office.surveys.get(request.state.inspector).graded()
        language = language_of(request)
        about = office.facts[language], office.spec.rating, texts(language)
        return await _attached(
            office, "grades.xlsx", XLSX, lambda file: workbook.write_workbook(file, graded, pictures, *about)
        )

    @app.get("/labels.csv")
    async def labels(request: Request) -> Response:
        def write(file: Path) -> None:
            given = reviews.labels(office.reviews, request.state.inspector)
            given["path"] = [tables.path_cell(path) for path in given.path]
            tables.write_csv(given.rename(columns={"path": "file"}), file)

        return await _attached(office, "labels.csv", CSV, write)

    return app


def _busy(say: dict[str, str]) -> Response:
    return PlainTextResponse(say["busy"], 429, {"Retry-After": str(AGAIN)})


def _room(office: Office, request: Request, say: dict[str, str]) -> Survey | Response:
    """The browser's survey, or the answer that it takes no more."""
    survey = office.surveys.begun(request.state.inspector)
    if survey is None:
        return _busy(say)
    return PlainTextResponse(say["too_many"].format(count=MOST), 409) if full(survey) else survey


async def _received(request: Request, file: Path) -> str | None:
    """Write a request's body to `file`, and give its SHA-256; None where it is, or says it is, too large.

    Raises `ClientDisconnect`, `TimeoutError`, and `OSError` for a full disk.
    """
    if int(request.headers.get("content-length", 0)) > LARGEST * 1e6:
        return None
    digest, size = hashlib.sha256(), 0
    with file.open("wb") as stream:
        async with asyncio.timeout(SENDING):
            async for chunk in request.stream():
                size += len(chunk)
                if size > LARGEST * 1e6:
                    return None
                digest.update(chunk)
                stream.write(chunk)
    return digest.hexdigest()


def _deliverer(office: Office, survey: Survey, entry: Entry) -> Callable[[Outcome], None]:
    """What takes a photograph's outcome over from the desk's thread into the server's."""
    loop = asyncio.get_running_loop()

    def deliver(outcome: Outcome) -> None:
        office.waiting -= 1
        entry.outcome = outcome
        entry.hidden = entry.hidden and outcome.row is not None
        survey.touch(entry)

    def hand_over(outcome: Outcome) -> None:
        with suppress(RuntimeError):  # the server has stopped
            loop.call_soon_threadsafe(deliver, outcome)

    return hand_over


async def _attached(office: Office, name: str, kind: str, write: Callable[[Path], None]) -> Response:
    """What `write` writes, to be saved under `name`."""

    def content() -> bytes:
        file = office.uploads / f"{secrets.token_hex(16)}-{name}"
        try:
            write(file)
            return file.read_bytes()
        finally:
            file.unlink(missing_ok=True)

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(await run_in_threadpool(content), headers=headers, media_type=kind)
