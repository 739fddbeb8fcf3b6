"""Pages of docs/results that commands write: what stands between `<!-- name: begin -->` and its end."""

from pathlib import Path

from sabi.runtime.errors import InputError

SURVEY = Path("docs/results/survey.md")
SPEED = Path("docs/results/speed.md")


def renew(page: Path, name: str, text: str) -> None:
    """Put `text`, whole lines, in place of the part `name` of `page`.

    Raises `InputError` if the part's marks are not there, once each and in order.
    """
    start, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    old = page.read_text(encoding="utf-8")
    head, began, rest = old.partition(start)
    _, ended, tail = rest.partition(end)
    if not (began and ended) or start in rest or end in head + tail:
        raise InputError(f"{page}: expected one part between {start.strip()} and {end}; put both there")
    page.write_text(f"{head}{start}{text}{end}{tail}", encoding="utf-8")
