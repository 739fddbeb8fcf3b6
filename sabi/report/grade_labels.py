"""The names of grades as pictures show them, and the fonts that draw them.

Both fonts come with packages and are the same on every machine: Matplotlib's DejaVu Sans, and
IPAexGothic for what that lacks, Japanese.
"""

import unicodedata
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import matplotlib
from matplotlib import font_manager

from sabi.grades import Grades

WIDEST_LABEL = 12  # Latin characters; a Japanese one is as wide as two
# A name of our own: by IPAexGothic a font of the system's might be found.
JAPANESE = "sabi Japanese"


def grade_labels(rating: Grades) -> list[str]:
    """The grades' names as pictures show them: their numbers if a name is too wide or not drawable.

    What stands between "$" Matplotlib reads as a formula.
    """
    fonts = [_known(latin_font()), _known(japanese_font())]
    drawable = all(
        width(name) <= WIDEST_LABEL
        and "$" not in name
        and all(any(ord(character) in font for font in fonts) for character in name)
        for name in rating.names
    )
    return [*rating.names] if drawable else [str(number) for number in rating.numbers]


def latin_font() -> Path:
    """The file of DejaVu Sans."""
    return Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"


def japanese_font() -> Path:
    """The file of IPAexGothic."""
    # Not by its package: importing that makes it the font of all pictures of the process.
    return Path(str(distribution("matplotlib-fontja").locate_file("matplotlib_fontja/fonts/ipaexg.ttf")))


def font_for(labels: list[str]) -> Path:
    """The font that draws all of the labels, where only one can be used."""
    latin = _known(latin_font())
    return latin_font() if all(ord(character) in latin for character in "".join(labels)) else japanese_font()


@cache
def families() -> list[str]:
    """The families for Matplotlib's `font.family`: each character is drawn by the first that has it."""
    entry = font_manager.FontEntry(
        fname=str(japanese_font()),
        name=JAPANESE,
        style="normal",
        variant="normal",
        weight=400,
        stretch="normal",
        size="scalable",
    )
    font_manager.fontManager.ttflist.append(entry)
    return ["DejaVu Sans", JAPANESE]


@cache
def _known(font: Path) -> frozenset[int]:
    """The code points of the characters that a font has."""
    return frozenset(font_manager.get_font(str(font)).get_charmap())


def width(name: str) -> int:
    """How wide a name is, in Latin characters: a Japanese one is as wide as two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in name)
