"""Parts of the README that a command writes: what stands between `<!-- name: begin -->` and its end."""

from pathlib import Path

from sabi.runtime.errors import InputError

README = Path("README.md")


def renew(name: str, text: str, file: Path = README) -> None:
    """Put `text`, whole lines, in place of the part `name` of `file`.

    Raises `InputError` if the part's marks are not there, once each and in order.
    """
    start, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    old = file.read_text(encoding="utf-8")
    head, began, rest = old.partition(start)
    _, ended, tail = rest.partition(end)
    if not (began and ended) or start in rest or end in head + tail:
        raise InputError(f"{file}: expected one part between {start.strip()} and {end}; put both there")
    file.write_text(f"{head}{start}{text}{end}{tail}", encoding="utf-8")
