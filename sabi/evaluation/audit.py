"""Inspectors' grades that deserve another look: where scores that have not seen them disagree most.

A score of test and validation never has; one of training is from the folds of
the ridge head's cross-validation. A wrong grade stands out among them by how
far it lies from its score (as in confident learning, Northcutt, Jiang and
Chuang, JAIR 70, 2021, for classes).
"""

import pandas as pd

COLUMNS = ["path", "partition", "specimen", "grade", "score", "apart"]


def audit(manifest: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` of the photographs in `scores` (path, score), the most doubtful grade first.

    `manifest` has the inspector's grades by position; apart is how many grades the score is off.
    """
    table = manifest[["path", "partition", "specimen", "grade"]].merge(scores[["path", "score"]], on="path")
    table = table[table.score.notna()]
    table = table.assign(apart=(table.score - table.grade).abs())
    return table.sort_values(["apart", "path"], ascending=[False, True], kind="stable", ignore_index=True)[
        COLUMNS
    ]
