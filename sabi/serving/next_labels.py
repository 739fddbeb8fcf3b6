"""What `sabi next` does: a list and a page of photographs that an inspector should grade next."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sabi.grading.active_learning import choose
from sabi.grading.doubt import PICTURE
from sabi.photographs.partition import specimen_of
from sabi.report import pictures
from sabi.report.templates import template
from sabi.runtime.errors import InputError, system_refusals_told
from sabi.serving import tables
from sabi.serving.loading import load
from sabi.serving.selection import below_common_folder, select
from sabi.words.texts import Language, texts

TABLE, PAGE = "labels.csv", "index.html"
TEMPLATE = Path(__file__).with_name("next.html.j2")


def choose_into(
    out: Path, count: int, given: Sequence[str], model: Path, language: Language = "en"
) -> pd.DataFrame:
    """Choose `count` of the photographs that `given` names; the list and the page lie in `out`.

    The list is to be filled in: columns file (below the folder that all photographs lie in, as it is
    then in data/raw), grade (empty) and specimen, the first would teach the model in the folder `model`
    most. Neither tells the model's grade, which would lead the inspector's. Pictures that show nothing
    are left out. Raises `InputError` as `select` and `load` do, for an `out` that is there, and if
    nothing can be graded.
    """
    if out.exists():
        raise InputError(f"{out}: is there already and stays as it is; choose another --out")
    grader = load(model)
    selected = [one for one in select(given) if one.reason is None]
    files, scales = [one.file for one in selected], [one.mm_per_pixel for one in selected]
    rows, features = grader.grade_with_features(files, scales, "grade")
    graded = [place for place, row in enumerate(rows) if row.reason is None]
    fit = [place for place in graded if not PICTURE & {*(rows[place].look or "").split()}]
    if not fit:
        raise InputError(f"{given[0]}: none of its {len(files)} files is a photograph that can be graded")
    features = features[np.isin(graded, fit)]
    names = grader.spec.grades
    sizes = [names.index(rows[place].high or "") - names.index(rows[place].low or "") + 1 for place in fit]
    distances = np.array([rows[place].distance for place in fit], float)
    chosen = [fit[row] for row in choose(features, np.array(sizes, float), distances, count)]

    below = below_common_folder(files)
    table = pd.DataFrame(
        {
            "file": [below[place] for place in chosen],
            "grade": "",
            "specimen": [specimen_of(selected[place].path, grader.spec.specimen) or "" for place in chosen],
        }
    )
    with system_refusals_told(out):
        out.mkdir(parents=True)
    tables.write_csv(table, out / TABLE)
    shown = pictures.thumbnails([files[place] for place in chosen[: pictures.MOST]])
    encoded = [pictures.base64_of(picture) for picture in shown]
    photos = list(zip(table.file, encoded, strict=False))
    page = template(TEMPLATE).render(t=texts(language), language=language, photos=photos, table=TABLE)
    (out / PAGE).write_text(page, encoding="utf-8")
    return table
