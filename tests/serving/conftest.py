"""The model of one small network that the grader's tests use, and a server of the office's page with it."""

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sabi.serving.access import guard
from sabi.serving.desk import Desk
from sabi.serving.reviews import prepare
from sabi.serving.serve import LOOPBACK, listening, server_of
from sabi.serving.web import Office, make_app
from sabi.serving.worker import Worker
from tests.grading.test_grader import folder  # noqa: F401


@dataclass
class Served:
    """A server at work, in a thread of the tests' process; the model is in its own, as ever."""

    office: Office
    worker: Worker
    port: int
    keep: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def served(folder, tmp_path_factory) -> Iterator[Served]:  # noqa: F811
    base = tmp_path_factory.mktemp("served")
    (base / "uploads").mkdir()
    prepare(base / "reviews.db")
    worker = Worker(folder / "model", base / "embeddings.db", seconds=3)
    office = Office(folder / "model", Desk(worker, base / "kept"), base / "uploads", base / "reviews.db")
    with listened(office) as port:
        yield Served(office, worker, port, base / "kept")
    worker.close()


@contextmanager
def listened(office: Office, token: str | None = None) -> Iterator[int]:
    """The port at which the office's page is answered for."""
    app = make_app(office)
    guard(app, LOOPBACK, token)
    server = server_of(app)
    with listening("127.0.0.1", 0) as door:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        yield door.getsockname()[1]
        server.should_exit = True
        thread.join()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8")


@dataclass
class Browser:
    """What a browser does for the page: it keeps cookies and says where a request comes from."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        usual = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        usual |= {"Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin"} | self.headers
        sent = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {k: v for k, v in sent.items() if v is not None})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return Answer(answer.status, answer.headers, content)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def send(self, content: bytes, name: str, **query: object) -> Answer:
        return self.ask("POST", f"/photographs?{urlencode({'name': name, **query})}", content)

    def cards(self, wanted: int) -> list[str]:
        """All cards, as soon as there are `wanted` and nothing waits."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            news = json.loads(self.get("/photographs").content)
            if not news["waiting"] and len(news["cards"]) >= wanted:
                return news["cards"]
            time.sleep(0.05)
        raise AssertionError(f"{len(news['cards'])} cards of {wanted}, {news['waiting']} wait")


def said(card: str, name: str) -> str | None:
    """The value of a card's data attribute."""
    found = re.search(rf'data-{name}="([^"]*)"', card)
    return found.group(1) if found else None
