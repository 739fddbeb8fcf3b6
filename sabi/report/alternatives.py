"""What figures show, in words, for those who do not see them; `said` are the report's texts."""

import numpy as np
import pandas as pd

from sabi.evaluation.metrics import confusion
from sabi.grades import Grades


def of_confusion(actual: np.ndarray, predicted: np.ndarray, rating: Grades, said: dict[str, str]) -> str:
    """The counts of `figures.confusion_matrix`."""
    counts = confusion(np.ones((1, len(actual))), actual, predicted, len(rating.names))[0].astype(int)
    lines = [said["confusion_alt"]]
    for name, row in zip(rating.names, counts, strict=True):
        cells = [
            said["confusion_cell"].format(count=count, predicted=other)
            for other, count in zip(rating.names, row, strict=True)
            if count
        ]
        if cells:
            given = said["between_names"].join(cells)
            lines.append(said["confusion_row"].format(count=row.sum(), actual=name, given=given))
    return " ".join(lines)


def of_scores(actual: np.ndarray, scores: np.ndarray, rating: Grades, said: dict[str, str]) -> str:
    """Range and median by grade of `figures.score_distributions`."""
    lines = [said["scores_alt"]]
    for number, name in zip(rating.numbers, rating.names, strict=True):
        mine = scores[actual == number]
        if len(mine):
            low, high, median = (f"{value:.2f}" for value in (mine.min(), mine.max(), np.median(mine)))
            lines.append(said["scores_row"].format(grade=name, lowest=low, highest=high, median=median))
    return " ".join(lines)


def of_curve(member: str, curve: pd.DataFrame, best: int, said: dict[str, str]) -> str:
    """The errors at the step kept of `figures.learning_curve`."""
    kept = curve.iloc[best]
    train, validation = f"{kept.train_mae:.2f}", f"{kept.validation_mae:.2f}"
    return said["curve_alt"].format(member=member, train=train, validation=validation)


def of_ranks(values: pd.Series, scores: pd.Series, name: str, said: dict[str, str]) -> str:
    """How far ranks agree in `figures.against_score`: Spearman's correlation, where it exists."""
    if values.nunique() < 2 or scores.nunique() < 2:
        return said["against_score"].format(name=name, count=len(values))
    ranks = f"{values.corr(scores, method='spearman'):.2f}"
    return said["against_score_ranks"].format(name=name, count=len(values), ranks=ranks)


def of_feature(
    title: str, values: np.ndarray, actual: np.ndarray, rating: Grades, said: dict[str, str]
) -> str:
    """The medians by grade of `figures.feature_by_grade`."""
    medians = [
        f"{said['grade_heading'].format(grade=name)} {np.median(values[actual == number]):.3g}"
        for number, name in zip(rating.numbers, rating.names, strict=True)
        if (actual == number).any()
    ]
    return said["feature_alt"].format(title=title, medians=said["between_names"].join(medians))
