"""Graded photographs by the piece of steel, or the bridge, that they show."""

import pandas as pd

from sabi.grades import Grades
from sabi.photographs import measurements

ACT, WATCH, SOUND = "act", "watch", "sound"


def action(position: int, rating: Grades) -> str:
    """What a grade, by its position from 1, calls for: the worst to act, others that are not sound to watch.

    As the visual rating of JSSC Technical Report 86 has it of its grades 1, 2, and 3 to 5.
    """
    if position >= rating.worst_sound:
        return SOUND
    return ACT if position == 1 else WATCH


def roll_up(graded: pd.DataFrame, by: str, rating: Grades) -> pd.DataFrame:
    """A row for each value of the column `by` ("specimen", "bridge"), worst first.

    `graded` has columns `position` (from 1), `score`, `look` (empty where there is no reason) and
    `by`; photographs of which `by` is empty are left out. Columns: `by`, photographs, worst (a
    grade's name), score (the median), bad (the share, 0 to 1, of photographs that are not sound)
    the numbers act, watch, sound and look, and `median_...` of each column that a survey measured
    (NaN where nothing was).
    """
    known, measured = graded[graded[by] != ""], measurements.names(graded)
    rows = []
    for value, mine in known.groupby(by, sort=True):
        actions = [action(position, rating) for position in mine.position]
        counts = {name: actions.count(name) for name in (ACT, WATCH, SOUND)}
        rows.append(
            {
                by: value,
                "photographs": len(mine),
                "worst": rating.names[mine.position.min() - 1],
                "position": mine.position.min(),
                "score": mine.score.median(),
                "bad": (mine.position < rating.worst_sound).mean(),
                **counts,
                "look": (mine.look != "").sum(),
                **{f"median_{name}": mine[name].median() for name in measured},
            }
        )
    columns = [by, "photographs", "worst", "position", "score", "bad", ACT, WATCH, SOUND, "look"]
    columns += [f"median_{name}" for name in measured]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["position", "score", by], kind="stable", ignore_index=True).drop(
        columns="position"
    )
