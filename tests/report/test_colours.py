"""The colours of grades."""

import re

import pytest

from sabi.report.colours import COLOURS, grade_colours, ink_on
from tests.conftest import ROOT


def contrast(one: str, other: str) -> float:
    """Of two colours as "#rrggbb", by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_a_grades_name_can_be_read_on_its_colour(count):
    """4.5 to 1, as WCAG 2 asks of text."""
    for colour in grade_colours(count):
        assert contrast(colour, ink_on(colour)) >= 4.5, colour


def test_the_pages_inks_can_be_read_on_its_grounds():
    style = (ROOT / "sabi/report/style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#\w{6})", style))
    caution = re.search(r"\.caution \{ background: (#\w{6});", style)[1]
    for ink in ("ink", "soft", "rust"):
        for ground in (colours["paper"], "#ffffff"):
            assert contrast(colours[ink], ground) >= 4.5, ink
    assert contrast(colours["ink"], caution) >= 4.5


def test_five_grades_have_the_colours_themselves():
    assert grade_colours(5) == list(COLOURS)
