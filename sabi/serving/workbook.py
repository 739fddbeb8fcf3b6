"""Graded photographs as an Excel workbook."""

import io
import math
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from sabi.grades import Grades
from sabi.grading.specimens import roll_up
from sabi.photographs import measurements
from sabi.report.colours import grade_colours, ink_on
from sabi.report.pictures import SIDE
from sabi.words.texts import reasons

ROW_POINTS = SIDE * 0.75 * 0.6  # pictures are shown at 60 %: a screen holds more rows


def write_workbook(
    file: Path,
    graded: pd.DataFrame,
    pictures: list[bytes],
    facts: list[tuple[str, str]],
    rating: Grades,
    said: dict[str, str],
) -> None:
    """Sheets of the photographs, of specimens and bridges where they are known, and of the model.

    `graded` is that of `sabi.serving.tables`, `pictures` are JPEGs of its first rows, `facts`
    what is to be said of the model, a name and a text each.
    """
    # Names of files are text, whatever they look like.
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, plain) as book:
        _photographs(book, graded, pictures, rating, said)
        for by in ("bridge", "specimen"):
            if graded[by].any():
                _groups(book, roll_up(graded, by, rating), by, rating, said)
        sheet = book.add_worksheet(said["model"])
        sheet.set_column(0, 0, 36)
        sheet.set_column(1, 1, 80)
        _for_print(sheet)
        for row, (name, value) in enumerate(facts):
            sheet.write_string(row, 0, name, book.add_format({"bold": True, "valign": "top"}))
            sheet.write_string(row, 1, value, book.add_format({"text_wrap": True}))


def _photographs(
    book: Any, graded: pd.DataFrame, pictures: list[bytes], rating: Grades, said: dict[str, str]
) -> None:
    sheet = book.add_worksheet(said["sheet"])
    known = [name for name in ("specimen", "bridge", "date") if graded[name].any()]
    columns = [
        ("", 16),
        (said["photograph"], 44),
        (said["grade"], 9),
        (said["score"], 9),
        (said["calls_for"], 12),
        (said["set"], 14),
        (said["to_look_at"], 40),
    ]
    measured = measurements.names(graded)
    titles = [*(said[name] for name in known), *measured]
    _heading(book, sheet, [*columns, *((title, 16) for title in titles)])
    formats = _grade_formats(book, rating)
    middle = book.add_format({"valign": "vcenter"})
    wrapped = book.add_format({"valign": "vcenter", "text_wrap": True})
    centred = {"valign": "vcenter", "align": "center"}
    number, call = book.add_format(centred | {"num_format": "0.00"}), book.add_format(centred)
    for place, row in enumerate(graded.to_dict("records"), start=1):
        if place <= len(pictures):
            sheet.set_row(place, ROW_POINTS)
            options = {"image_data": io.BytesIO(pictures[place - 1]), "x_scale": 0.6, "y_scale": 0.6}
            sheet.insert_image(place, 0, "photograph.jpg", options | {"description": row["path"]})
        sheet.write_string(place, 1, row["path"], middle)
        sheet.write_string(place, 2, row["grade"], formats[row["position"]])
        sheet.write_number(place, 3, row["score"], number)
        sheet.write_string(place, 4, said[row["action"]], call)
        several = row["low"] != row["high"]
        sheet.write_string(place, 5, said["from_to"].format(**row) if several else row["grade"], call)
        sheet.write_string(place, 6, reasons(row["look"], said), wrapped)
        for column, name in enumerate(known, start=7):
            sheet.write_string(place, column, row[name], middle)
        _write_measured(sheet, place, 7 + len(known), [row[name] for name in measured])
    sheet.autofilter(0, 1, max(len(graded), 1), 6 + len(titles))


def _groups(book: Any, table: pd.DataFrame, by: str, rating: Grades, said: dict[str, str]) -> None:
    sheet = book.add_worksheet(said[f"by_{by}"])
    bad = said["share_bad"].format(grade=rating.names[rating.worst_sound - 2])
    headings = [said[by], said["worst"], said["median_score"], bad, said["photographs"]]
    headings += [said[name] for name in ("act_on", "to_watch", "are_sound", "to_look_at")]
    medians = [name for name in table.columns if name.startswith("median_")]
    headings += [said["median_of"].format(name=name.removeprefix("median_")) for name in medians]
    _heading(book, sheet, [(heading, 18) for heading in headings])
    formats = _grade_formats(book, rating)
    number, share = book.add_format({"num_format": "0.00"}), book.add_format({"num_format": "0 %"})
    for place, row in enumerate(table.to_dict("records"), start=1):
        sheet.write_string(place, 0, row[by])
        sheet.write_string(place, 1, row["worst"], formats[rating.names.index(row["worst"]) + 1])
        sheet.write_number(place, 2, row["score"], number)
        sheet.write_number(place, 3, row["bad"], share)
        for column, name in enumerate(("photographs", "act", "watch", "sound", "look"), start=4):
            sheet.write_number(place, column, row[name])
        _write_measured(sheet, place, 9, [row[name] for name in medians])
    sheet.autofilter(0, 0, max(len(table), 1), len(headings) - 1)


def _write_measured(sheet: Any, row: int, first: int, values: list[float]) -> None:
    """Numbers from the column `first` on, nothing where nothing was measured."""
    for column, value in enumerate(values, start=first):
        if not math.isnan(value):
            sheet.write_number(row, column, value)


def _heading(book: Any, sheet: Any, columns: list[tuple[str, float]]) -> None:
    bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    for column, (title, width) in enumerate(columns):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, title, bold)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    _for_print(sheet)


def _for_print(sheet: Any) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)


def _grade_formats(book: Any, rating: Grades) -> dict[int, Any]:
    """The cell of each grade, by position: filled with its colour, so that it is seen in a long list."""
    colours = grade_colours(len(rating.names))
    look = {"align": "center", "valign": "vcenter", "bold": True}
    return {
        position: book.add_format(look | {"bg_color": colour, "font_color": ink_on(colour)})
        for position, colour in zip(rating.numbers, colours, strict=True)
    }
