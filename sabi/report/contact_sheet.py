"""Photographs side by side on a sheet, with the names of their grades."""

import math

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from sabi.grades import Grades
from sabi.photographs.augmentation import augmented
from sabi.report.grade_labels import font_for, grade_labels
from sabi.settings.augment import Augment

# The copies beside a photograph.
SHOWN_COPIES = range(1, 7)
SHOWN_SIDE = 160  # largest side of a photograph on the sheet, pixels


def sheet_of_copies(pixels: np.ndarray, rows: pd.DataFrame, rating: Grades, params: Augment) -> Image.Image:
    """Two photographs of each grade with their copies beside them, as an image.

    `pixels` (n, size, size, 3) are the training photographs, `rows` (n,) theirs of the manifest.
    """
    scores = rows.soft_score.to_numpy(float)
    strips = []
    for number, name in zip(rating.numbers, grade_labels(rating), strict=True):
        found = np.flatnonzero(rows.grade == number)
        # From both ends, because neighbours are of one specimen.
        for row in sorted({*found[:1], *found[-1:]}):
            copies = [augmented(pixels, scores, [row], copy, params)[0][0] for copy in SHOWN_COPIES]
            strips.append((name, [pixels[row], *copies]))
    # Numbers, which need no language: it is no parameter of the stage that makes the sheet.
    return paste(strips, ["", *map(str, SHOWN_COPIES)])


def paste(strips: list[tuple[str, list[np.ndarray]]], headings: list[str]) -> Image.Image:
    """Rows of photographs with a name at the left and a heading above each column."""
    gap = 4
    side = min(len(strips[0][1][0]), SHOWN_SIDE) if strips else SHOWN_SIDE
    names = [name for name, _ in strips]
    # The other layout engine takes its rules from the system's libraries.
    font = ImageFont.truetype(font_for(names), 14, layout_engine=ImageFont.Layout.BASIC)
    left = math.ceil(max(map(font.getlength, names), default=0)) + 4 * gap
    top = 24
    sheet = Image.new("RGB", (left + len(headings) * (side + gap), top + len(strips) * (side + gap)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, heading in enumerate(headings):
        middle = left + column * (side + gap) + side // 2
        pen.text((middle, top // 2), heading, "black", font, anchor="mm")
    for line, (name, photographs) in enumerate(strips):
        y = top + line * (side + gap)
        pen.text((left - 2 * gap, y + side // 2), name, "black", font, anchor="rm")
        for column, photograph in enumerate(photographs):
            shown = Image.fromarray(photograph).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(shown, (left + column * (side + gap), y))
    return sheet
