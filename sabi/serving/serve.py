"""What `sabi serve` does: a page for the office's network, until Ctrl-C."""

import ipaddress
import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path

import psutil
import uvicorn
from fastapi import FastAPI
from platformdirs import user_cache_path, user_data_path

from sabi.grading.card import repository_of
from sabi.grading.model import check
from sabi.runtime.errors import InputError
from sabi.runtime.store import STORE
from sabi.serving.access import guard
from sabi.serving.desk import Desk
from sabi.serving.reviews import prepare
from sabi.serving.web import Office, make_app
from sabi.serving.worker import Worker

REVIEWS = "reviews.db"
LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]


def serve(model: Path, host: str, port: int, keep: Path | None) -> None:
    """Answer browsers until Ctrl-C or SIGTERM, which end it in order.

    Raises `InputError` for a folder that is no model, a `keep` or a file of reviews that cannot
    be written to, and an address that is not this machine's or is taken.
    """
    check(model)
    root = repository_of(model)
    store = (root or user_cache_path("sabi", ensure_exists=True)) / STORE
    reviews = (root or user_data_path("sabi", ensure_exists=True)) / REVIEWS
    prepare(reviews)
    token = None if is_loopback(host) else secrets.token_urlsafe(32)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    worker = Worker(model, store)
    try:
        with listening(host, port) as door, tempfile.TemporaryDirectory(prefix="sabi-") as uploads:
            print("loading the model ...", file=sys.stderr)
            office = Office(model, Desk(worker, keep), Path(uploads), reviews)
            app = make_app(office)
            guard(app, names_of(host), token)
            print(f"open {link(host, door.getsockname()[1], token)} (Ctrl-C stops)")
            if token is not None:
                print("whoever has this link may use the page; what is sent is not encrypted")
            sys.stdout.flush()
            server_of(app).run(sockets=[door])
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        worker.close()


def server_of(app: FastAPI) -> uvicorn.Server:
    """A server that logs no request: addresses hold the names of photographs."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            limit_concurrency=200,
            timeout_graceful_shutdown=2,
        )
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int) -> socket.socket:
    """A socket at the address; raises `InputError` if it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(f"{host}:{port}: {error}; choose another --host or --port") from None


def names_of(host: str) -> list[str]:
    """By which names browsers may call a server at `host`."""
    if host not in ("0.0.0.0", "::"):
        return [*LOOPBACK, _bracketed(host)]
    mine, families = socket.gethostname(), (socket.AF_INET, socket.AF_INET6)
    known = [one for ones in psutil.net_if_addrs().values() for one in ones if one.family in families]
    addresses = [one.address for one in known]
    return [*LOOPBACK, mine, f"{mine}.local", socket.getfqdn(), *map(_bracketed, addresses)]


def link(host: str, port: int, token: str | None) -> str:
    """What to type into a browser."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else _bracketed(host)
    return f"http://{name}:{port}/" + (f"?token={token}" if token is not None else "")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
