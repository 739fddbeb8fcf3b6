"""One spelling for names that a reader takes for the same, and numbers written as text.

Windows and macOS store `ブ` in different code points; a Japanese keyboard gives
full-width digits and spaces; texts from elsewhere begin with a byte order mark.
"""

import math
import re
import unicodedata

# Shift-JIS has one character each for two of Unicode: Windows reads the second, others the first.
TWINS = str.maketrans("〜−‖—", "~-∥―")
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
# A comma that may part thousands; any other, before digits alone, is a decimal comma.
THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(,[0-9]{3})+")
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")


def normal(name: str) -> str:
    """`name` in one spelling: NFKC, without what is not seen, no space at the ends, single ones inside.

    Not seen are format characters (a byte order mark, marks of direction) and variation selectors.
    """
    seen = "".join(character for character in name if not _invisible(character))
    return " ".join(_compatible(seen).split())


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(TWINS)


def _invisible(character: str) -> bool:
    if character.isascii():
        return False
    selects = unicodedata.name(character, "").startswith("VARIATION SELECTOR")
    return selects or unicodedata.category(character) == "Cf"


def normal_path(path: str) -> str:
    """`path`, with `/`, each of its parts in one spelling."""
    return "/".join(normal(part) for part in path.split("/"))


def normal_pattern(pattern: str) -> str:
    """A regular expression that finds in normal names what `pattern` means; its operators stay."""
    composed = unicodedata.normalize("NFC", pattern)
    # A full-width bracket is a character of a name, not the operator that its normal form would be.
    parts = [c if c.isascii() else re.escape(_compatible(c)) for c in composed]
    return unicodedata.normalize("NFC", "".join(parts))


def as_number(text: str) -> float | None:
    """The decimal number that `text` is, in any width of digits; None if it is none (`1_0`, `1e999`).

    Also with a decimal comma, `0,21`, unless it has two readings (`1,234`).
    """
    plain = normal(text)
    if DECIMAL_COMMA.fullmatch(plain) and not THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", ".")
    number = float(plain) if NUMBER.fullmatch(plain) else math.inf
    return number if math.isfinite(number) else None
