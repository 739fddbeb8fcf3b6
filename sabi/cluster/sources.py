"""Where the photographs of a large survey lie: folders, lists in files, addresses that fsspec knows."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec

from sabi.photographs.files import Unusable
from sabi.runtime.errors import InputError, in_a_line
from sabi.serving.selection import select, size_and_time

LIST = "@"  # before the name of a file that lists one photograph, folder or address a line
PAUSES = (1, 4)  # seconds before an address is tried again
# What stores call the size of a file, a hash of its content, and its time.
VERSION = ("size", "ETag", "etag", "LastModified", "last_modified", "updated", "mtime")


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph, wherever it lies."""

    path: str  # that its row bears; of an address, the whole of it
    place: str  # the file's absolute path, or the address
    mm_per_pixel: float | None  # None: not known
    version: str  # what tells this content from another under the same name
    reason: str | None = None  # why it is known that there is nothing to read


def find_sources(given: Sequence[str]) -> list[Source]:
    """The photographs of `given`, sorted by path, each once.

    A text with `://` is an address, of one file or of all below it, one that begins with `@` a
    list in a file, everything else as in `select`. Raises `InputError` for what stands for no file.
    """
    found: dict[str, Source] = {}
    for text in _listed(given):
        for source in _remote(text) if "://" in text else _local(text):
            found.setdefault(source.place, source)
    return sorted(found.values(), key=lambda source: (source.path, source.place))


def read(source: Source) -> Path | bytes | Unusable:
    """What `Grader.grade` takes: a file's path, the bytes at an address, or why there are none."""
    if source.reason is not None:
        return Unusable(source.reason)
    if "://" not in source.place:
        return Path(source.place)
    said = ""
    for pause in (0, *PAUSES):
        time.sleep(pause)
        try:
            with fsspec.open(source.place, "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            return Unusable("cannot be read: it is gone")
        except Exception as error:  # each store has its own
            said = in_a_line(error)
    return Unusable(f"cannot be read, tried {1 + len(PAUSES)} times: {said}")


def _listed(given: Sequence[str]) -> Iterator[str]:
    for text in given:
        if not text.startswith(LIST):
            yield text
            continue
        try:
            lines = Path(text.removeprefix(LIST)).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{text}: cannot be read as a list of photographs ({error}); a line each, UTF-8"
            ) from None
        named = [line.strip() for line in lines if line.strip()]
        if not named:
            raise InputError(f"{text}: names no photograph; a line each, UTF-8")
        yield from named


def _local(text: str) -> Iterator[Source]:
    for one in select([text]):
        if one.reason is not None:  # a row of no file
            yield Source(one.path, one.path, None, one.reason, one.reason)
            continue
        version = " ".join(map(str, size_and_time(one.file)))
        yield Source(one.path, str(one.file.absolute()), one.mm_per_pixel, version)


def _remote(text: str) -> Iterator[Source]:
    try:
        system, path = fsspec.core.url_to_fs(text)
        # A store's own listing: what it knew before may be out of date.
        system.invalidate_cache()
        found = system.find(path, detail=True)
    except ImportError as error:
        raise InputError(
            f"{text}: {in_a_line(error)}; for S3 type `make ray` in the folder of sabi"
        ) from None
    except Exception as error:  # each store has its own
        raise InputError(f"{text}: cannot be listed ({in_a_line(error)})") from None
    if not found:
        raise InputError(f"{text}: no file there")
    for name, facts in found.items():
        known = [str(facts[field]) for field in VERSION if facts.get(field) is not None]
        address = system.unstrip_protocol(name)
        yield Source(address, address, None, " ".join(known))
