"""The colours of grades."""

import pytest

from sabi.report.colours import COLOURS, grade_colours, ink_on


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_a_grades_name_can_be_read_on_its_colour(count):
    """4.5 to 1, as WCAG 2 asks of text."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for colour in grade_colours(count):
        light, dark = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


def test_five_grades_have_the_colours_themselves():
    assert grade_colours(5) == list(COLOURS)
