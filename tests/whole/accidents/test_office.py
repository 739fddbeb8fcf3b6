"""The office's page under load and under fire; `pytest -m accident -s` prints the figures."""

import io
import multiprocessing
import os
import random
import signal
import statistics
import threading
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from sabi.serving import web
from tests.serving.conftest import Browser, folder, said, served  # noqa: F401

pytestmark = pytest.mark.accident
CLIENTS, PHOTOGRAPHS, DAMAGED, NAMES, OVERSIZED = 8, 500, 500, 50, 20


def rust(seed: int) -> bytes:
    """A photograph like no other, 640 x 480."""
    random_ = np.random.default_rng(seed)
    small = Image.fromarray(random_.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    stream = io.BytesIO()
    small.resize((640, 480)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def patiently(browser: Browser, content: bytes, name: str) -> int:
    """Send as the page does, again where the server is busy; how often it was."""
    for busy in range(1000):
        answer = browser.send(content, name)
        if answer.status != 429:
            assert answer.status == 202, answer.text
            return busy
        time.sleep(0.1)
    raise AssertionError("always busy")


def megabytes(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 2**20


def test_eight_browsers_at_once_lose_nothing_and_memory_stays(served, capsys):  # noqa: F811
    pid, share = os.getpid(), PHOTOGRAPHS // CLIENTS + 1
    contents = [rust(seed) for seed in range(CLIENTS * share)]
    # What a first round takes stays; from then on it must not grow.
    warm = Browser(served.port)
    for number, content in enumerate(contents[:64]):
        patiently(warm, content, f"warm{number}.jpg")
    warm.cards(64)
    before = {"server": megabytes(pid), "worker": megabytes(served.worker.pid)}
    graded, busy, latencies, failed = [], [], [], []

    def use(client: int) -> None:
        try:
            browser = Browser(served.port)
            mine = contents[client * share : (client + 1) * share]
            for number, content in enumerate(mine):
                began = time.monotonic()
                busy.append(patiently(browser, content, f"{number}.jpg"))
                latencies.append(time.monotonic() - began)
            graded.extend(card for card in browser.cards(share) if said(card, "score"))
        except Exception as error:
            failed.append(error)

    began = time.monotonic()
    threads = [threading.Thread(target=use, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    after = {"server": megabytes(pid), "worker": megabytes(served.worker.pid)}
    ranked = sorted(latencies)
    with capsys.disabled():
        print(
            f"\n{len(graded)} photographs of {CLIENTS} browsers in {took:.1f} s, "
            f"{len(graded) / took:.1f} a second; taken after {statistics.median(ranked):.3f} s (median), "
            f"{ranked[len(ranked) * 95 // 100]:.3f} s (95 %), {ranked[-1]:.3f} s (longest); "
            f"busy {sum(busy)} times; "
            + ", ".join(f"{name} {before[name]:.0f} to {after[name]:.0f} MiB" for name in before)
        )
    assert failed == [] and len(graded) == CLIENTS * share
    assert served.office.waiting == 0 and list(served.office.uploads.iterdir()) == []
    assert after["server"] - before["server"] < 64 and after["worker"] - before["worker"] < 128


def damaged(content: bytes, random_: random.Random) -> bytes:
    kind = random_.randrange(4)
    place = random_.randrange(2, len(content))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + random_.randbytes(random_.randrange(1, 2000)) + content[place + 50 :]
    if kind == 2:
        return bytes(
            content[i] ^ (random_.random() < 0.001) * random_.randrange(256) for i in range(len(content))
        )
    return random_.randbytes(random_.randrange(5000))


def test_damaged_files_hostile_names_and_oversized_ones_leave_it_answering(served, monkeypatch, capsys):  # noqa: F811
    random_, worker = random.Random(5), served.worker.pid
    browser, content = Browser(served.port), rust(0)
    for number in range(DAMAGED):
        patiently(browser, damaged(content, random_), f"{number}.jpg")
    cards = browser.cards(DAMAGED)
    refused = [card for card in cards if said(card, "score") is None]
    alphabet = "./\\\0\r\n'\"<>&;|=+-@%{}$`~*?:\u202e\ufeff橋é😀 ax"
    for _ in range(NAMES):
        name = "".join(random_.choices(alphabet, k=random_.randrange(1, 400)))
        patiently(browser, content, name)
    told = browser.cards(DAMAGED + 1)
    assert not any("<script" in card for card in told)
    turned_away = 0
    monkeypatch.setattr(web, "LARGEST", 1)
    for number in range(OVERSIZED):
        try:
            turned_away += browser.send(bytes(1_200_000), f"large{number}.jpg").status == 413
        except ConnectionError:  # it does not read on
            turned_away += 1
    with capsys.disabled():
        print(
            f"\n{len(cards)} damaged files: {len(refused)} refused, {len(cards) - len(refused)} graded; "
            f"{len(told) - len(cards)} hostile names; {turned_away} oversized turned away; "
            f"{'the same worker' if served.worker.pid == worker else 'another worker'}"
        )
    assert len(cards) == DAMAGED and len(refused) > DAMAGED / 4 and turned_away == OVERSIZED
    assert browser.get("/healthz").text == "ok" and browser.get("/").status == 200
    assert served.office.waiting == 0 and list(served.office.uploads.iterdir()) == []
    # Nothing of the names became a file.
    assert all(len(file.name) == 68 or file.name == "names.csv" for file in served.keep.iterdir())


def test_a_worker_that_ended_in_between_is_no_photographs_fault(served):  # noqa: F811
    former = served.worker.pid
    os.kill(former, signal.SIGKILL)
    while multiprocessing.active_children():
        time.sleep(0.02)
    browser = Browser(served.port)
    browser.send(rust(1), "a.jpg")
    assert said(browser.cards(1)[0], "score") and served.worker.pid != former
