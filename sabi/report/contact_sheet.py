"""Photographs side by side on a sheet, with the names of their grades."""

import math
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SHOWN_SIDE = 160  # largest side of a photograph on the sheet, pixels


def paste(strips: list[tuple[str, list[np.ndarray]]], headings: list[str]) -> Image.Image:
    """Rows of photographs with a name at the left and a heading above each column."""
    gap = 4
    side = min(len(strips[0][1][0]), SHOWN_SIDE) if strips else SHOWN_SIDE
    file = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    # The other layout engine takes its rules from the system's libraries.
    font = ImageFont.truetype(file, 14, layout_engine=ImageFont.Layout.BASIC)
    left = math.ceil(max((font.getlength(name) for name, _ in strips), default=0)) + 4 * gap
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
