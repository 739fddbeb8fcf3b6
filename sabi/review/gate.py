"""Does the working commit make the figures worse? `sabi gate BASE`.

Compares HEAD with the revision BASE, by the rules of `params.yaml` (section
`gate`), prints a Markdown table and writes it to `gate.md`. Exit status: 0 no
rule is broken, 1 one is, 2 it cannot be judged.
"""

import traceback
from pathlib import Path

from sabi.runtime.errors import InputError

TABLE = Path("gate.md")
UNJUDGED = 2


def gate(base: str) -> int:
    """Judge HEAD against `base`, print why and write it to `gate.md`; the exit status. Raises nothing."""
    try:
        # One of before would be taken for this one's, should the judging be interrupted.
        TABLE.unlink(missing_ok=True)
        status, text = judgement(base)
        TABLE.write_text(text, encoding="utf-8")
        print(text, end="", flush=True)
    except (Exception, KeyboardInterrupt):
        # Python itself would end with 1, which means a broken rule.
        traceback.print_exc()
        return UNJUDGED
    return status


def judgement(base: str) -> tuple[int, str]:
    """The exit status and why, as Markdown; that nothing can be compared is a judgement, too."""
    # Not above: a module that cannot be loaded is no broken rule either.
    from sabi.review.gate_rules import judge

    try:
        return judge(base)
    except InputError as error:
        return UNJUDGED, f"**Cannot be judged:** {error}\n"
