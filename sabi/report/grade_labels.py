"""The names of grades as pictures show them."""

from matplotlib.font_manager import findfont, get_font

from sabi.grades import Grades

LONGEST_LABEL = 12  # characters


def grade_labels(rating: Grades) -> list[str]:
    """The grades' names as pictures show them: their numbers if a name is too long or not drawable.

    Matplotlib's own font, the only one that is the same on every machine, has
    no Chinese or Japanese characters; what stands between "$" it reads as a formula.
    """
    font = get_font(findfont("DejaVu Sans"))
    drawable = all(
        len(name) <= LONGEST_LABEL
        and "$" not in name
        and all(font.get_char_index(ord(character)) for character in name)
        for name in rating.names
    )
    return [*rating.names] if drawable else [str(number) for number in rating.numbers]
