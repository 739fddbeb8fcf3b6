"""What was graded, on one page."""

from pathlib import Path
from typing import Any

import pandas as pd

from sabi.grades import LOWEST, Grades
from sabi.report.colours import grade_colours, ink_on
from sabi.report.graded import summed_up
from sabi.report.pictures import base64_of
from sabi.report.templates import template
from sabi.words.texts import Language, texts, translated

TEMPLATE = Path(__file__).with_name("overview.html.j2")


def render(
    graded: pd.DataFrame,
    rejected: pd.DataFrame,
    pictures: list[bytes],
    about: dict[str, Any],
    rating: Grades,
    language: Language,
) -> str:
    """The page, everything in one file; `about` has facts (of the model), drawings, unfinished and closer
    (what `look_closer` gave).
    """
    colours = grade_colours(len(rating.names))
    rows = graded.drop(columns="file").to_dict("records")
    encoded = [base64_of(picture) for picture in pictures]
    return template(TEMPLATE).render(
        t=texts(language),
        language=language,
        **summed_up(graded, rating),
        photos=[
            row | {"picture": picture, "closer": closer}
            for row, picture, closer in zip(rows, encoded, about["closer"], strict=False)
        ],
        without_pictures=len(rows) - len(encoded),
        rejected=[
            row | {"reason": translated(row["reason"], language)} for row in rejected.to_dict("records")
        ],
        graded=len(rows),
        not_sound=rating.names[rating.worst_sound - 2],
        colours={name: (colour, ink_on(colour)) for name, colour in zip(rating.names, colours, strict=True)},
        ends=(f"{LOWEST:g}", f"{rating.highest:g}"),
        **about,
    )
