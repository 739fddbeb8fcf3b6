"""Does the working commit make the figures worse?

`python -m sabi.review.gate BASE`, or `make gate BASE=main`.

Compares HEAD with the revision BASE, by the rules of `params.yaml` (section
`gate`), prints a Markdown table and writes it to `gate.md`. Exit status: 0 no
rule is broken, 1 one is, 2 it cannot be judged.
"""

import argparse
import sys
import traceback
from pathlib import Path

from sabi.runtime.errors import InputError

TABLE = Path("gate.md")
UNJUDGED = 2


def gate(base: str) -> int:
    """Judge HEAD against `base`, print why and write it to `gate.md`; the exit status."""
    # One of before would be taken for this one's, should the judging be interrupted.
    TABLE.unlink(missing_ok=True)
    try:
        # Not above: a module that cannot be loaded is no broken rule either.
        from sabi.review.judging import judge

        status, text = judge(base)
    except InputError as error:
        status, text = UNJUDGED, f"**Cannot be judged:** {error}\n"
    TABLE.write_text(text, encoding="utf-8")
    print(text, end="", flush=True)
    return status


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sabi.review.gate", description="Judge HEAD against BASE."
    )
    parser.add_argument("base", metavar="BASE", help="the revision to compare with, for example main")
    arguments = parser.parse_args()
    try:
        status = gate(arguments.base)
    except (Exception, KeyboardInterrupt):
        # Python itself would end with 1, which means a broken rule.
        traceback.print_exc()
        status = UNJUDGED
    sys.exit(status)


if __name__ == "__main__":
    main()
