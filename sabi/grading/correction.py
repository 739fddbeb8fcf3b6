"""Moving photographs over one threshold by what is measured in them: the wiki's correction of 3 and 4.

Grades 3 and 4 differ by the size of grains, which a network's score blurs;
the wiki's fourth script leaves room for a correction there by measured
features. Here it is a logistic regression over the photographs whose score is
near that threshold.

The rule is learnt, and kept or not, on validation alone, on which the
thresholds were tuned too: what it does to the figures on validation flatters
it. What it is worth, only test says.
"""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sabi.grades import Grades
from sabi.grading.thresholds import to_grades
from sabi.photographs.features import FEATURES
from sabi.settings.params import Params

# Fewer photographs near the threshold teach nothing.
FEWEST = 10
FOLDS = 5
# Inverse strength of the L2 penalty, scikit-learn's default.
C = 1.0


@dataclass(frozen=True)
class Rule:
    """A photograph near the threshold is of the better grade if its `logit` is positive; plain values.

    logit = intercept + weights @ ((x - mean) / deviation), where x is the score's
    distance from the threshold, then the measured features.
    """

    above: int  # the threshold is the one above this grade
    threshold: float
    within: float  # how near a score must be, grades
    mean: list[float]
    deviation: list[float]
    weights: list[float]
    intercept: float


@dataclass(frozen=True)
class Known:
    """What is known of the photographs of validation."""

    scores: np.ndarray  # (n,)
    truth: np.ndarray  # (n,) int, the inspector's grades
    features: np.ndarray  # (n, f), measured
    specimens: np.ndarray  # (n,)


def fit(known: Known, thresholds: list[float], above: int, within: float) -> Rule | str:
    """The rule for the threshold above grade `above`, or why there is none.

    Learnt on those photographs whose score is at most `within` from the
    threshold and that get the grade below or above it: is the inspector's grade
    better than `above`?

    There is none if fewer than `FEWEST` are near, if all of them are on one
    side, or if it does not raise quadratic weighted kappa where, in a
    cross-validation by specimen, no photograph is moved by a rule that has
    learnt from its own specimen.
    """
    from sklearn.metrics import cohen_kappa_score
    from sklearn.model_selection import GroupKFold

    scores, truth, features, specimens = known.scores, known.truth, known.features, known.specimens
    threshold = thresholds[above - 1]
    grades = to_grades(scores, thresholds)
    near = np.flatnonzero(_near(scores, grades, above, threshold, within))
    rows = _rows(scores, features, threshold)
    better = truth > above
    if len(near) < FEWEST:
        return f"only {len(near)} validation photographs have a score near the threshold; {FEWEST} are needed"
    if len(set(better[near])) < 2:
        return f"all {len(near)} validation photographs near the threshold are on one side of it"
    count = len(set(specimens[near]))
    if count < 2:
        return f"all {len(near)} validation photographs near the threshold are of one specimen"

    corrected = grades.copy()
    for others, held in GroupKFold(min(FOLDS, count)).split(near, groups=specimens[near]):
        learn, judge = near[others], near[held]
        if len(set(better[learn])) == 2:
            rule = _learn(rows[learn], better[learn], above, threshold, within)
            corrected[judge] = apply(rule, scores[judge], grades[judge], features[judge])
    # Named, because grades that none of them has would make their neighbours adjacent.
    kappa = partial(cohen_kappa_score, truth, weights="quadratic", labels=range(1, len(thresholds) + 2))
    before, after = kappa(grades), kappa(corrected)
    if not after > before:
        return (
            f"cross-validated, it does not raise kappa on validation ({before:.3f} without, {after:.3f} with)"
        )
    return _learn(rows[near], better[near], above, threshold, within)


def apply(rule: Rule, scores: np.ndarray, grades: np.ndarray, features: np.ndarray) -> np.ndarray:
    """`grades` (n,) int with those near the rule's threshold on the side the rule puts them on.

    `scores` (n,) and `features` (n, f) are of the same photographs. Other
    grades than the two that meet at the threshold never change.
    """
    rows = (_rows(scores, features, rule.threshold) - rule.mean) / rule.deviation
    # Column by column: a matrix product may add in another order for another number of photographs.
    logit = rule.intercept + sum(weight * column for weight, column in zip(rule.weights, rows.T, strict=True))
    near = _near(scores, grades, rule.above, rule.threshold, rule.within)
    return np.where(near, rule.above + (logit > 0), grades)


def _near(scores: np.ndarray, grades: np.ndarray, above: int, threshold: float, within: float) -> np.ndarray:
    """Whether photographs (n,) are of one of the two grades at the threshold and near it."""
    # Another threshold may be as near, and its grades are not the rule's.
    return (np.abs(scores - threshold) <= within) & ((grades == above) | (grades == above + 1))


def _rows(scores: np.ndarray, features: np.ndarray, threshold: float) -> np.ndarray:
    return np.column_stack([scores - threshold, features])


def _learn(rows: np.ndarray, better: np.ndarray, above: int, threshold: float, within: float) -> Rule:
    from sklearn.linear_model import LogisticRegression

    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation[deviation < 1e-12] = 1.0  # a feature that is the same everywhere
    model = LogisticRegression(C=C, max_iter=1000).fit((rows - mean) / deviation, better)
    return Rule(
        above,
        float(threshold),
        within,
        mean.tolist(),
        deviation.tolist(),
        model.coef_[0].tolist(),
        float(model.intercept_[0]),
    )


def learn(
    graded: pd.DataFrame,
    features: pd.DataFrame,
    manifest: pd.DataFrame,
    thresholds: list[float],
    params: Params,
) -> tuple[Rule | None, str | None]:
    """The rule, if it is wanted and validation supports it; else why there is none.

    `graded` (path, partition, score, grade) and the measured `features` have a
    row a photograph, in one order; `manifest`, by path, has the inspector's grades.
    """
    chosen = params.binning.correction
    if chosen.method == "none":
        return None, "binning.correction.method is none"
    validation = graded[graded.partition == "validation"]
    known = Known(
        validation.score.to_numpy(),
        manifest.grade[validation.path].to_numpy(),
        features.loc[validation.index].to_numpy(float),
        manifest.specimen[validation.path].to_numpy(),
    )
    learnt = fit(known, thresholds, params.labels.grades.index(chosen.above) + 1, chosen.within)
    return (learnt, None) if isinstance(learnt, Rule) else (None, learnt)


def described(rule: Rule | None, reason: str | None, rating: Grades) -> dict[str, Any]:
    """Whether there is a rule, the reason if not, and the rule for reading.

    Its grade by name, its threshold on the scale of the names, what is weighed.
    """
    if rule is None:
        return {"on": False, "reason": reason, "rule": None}
    named = {"above": rating.names[rule.above - 1], "threshold": float(rating.shown([rule.threshold])[0])}
    shown = asdict(rule) | named | {"columns": ["distance", *FEATURES]}
    return {"on": True, "reason": reason, "rule": shown}


def corrected(graded: pd.DataFrame, features: pd.DataFrame, rule: Rule | None) -> pd.DataFrame:
    """The table of path, partition, score and grade, its grades corrected by `rule`."""
    if rule is None:
        return graded
    grades = apply(rule, graded.score.to_numpy(), graded.grade.to_numpy(), features.to_numpy(float))
    return graded.assign(grade=grades)


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Path, partition, score, and the grades before and after, of the photographs whose grade differs."""
    both = before[["path", "partition", "score"]].assign(before=before.grade, after=after.grade)
    return both[both.before != both.after]
