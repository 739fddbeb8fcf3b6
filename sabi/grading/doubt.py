"""What is to be doubted about a grade: the set of grades it may be, and why it deserves a look.

Learnt on validation, which neither networks nor heads have learnt from, though
the thresholds were tuned on it; whether the promise is kept, test says.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sabi.grades import Grades
from sabi.grading import conformal
from sabi.grading.novelty import farthest
from sabi.photographs import quality
from sabi.settings.evaluate import Evaluate
from sabi.settings.section import Section

COLUMNS = ["low", "high", "look", "nearest", "distance"]
# Why a photograph deserves a look, the weightiest first. What is wrong with the picture:
# "dark", "bright", "plain", "blurred"; "unlike" what was learnt from; the set of grades
# crosses the "border" to sound; "members" disagree; the score is near a "threshold".
REASONS = ("dark", "bright", "plain", "blurred", "unlike", "border", "members", "threshold")
PICTURE = frozenset(REASONS[:4])  # what is wrong with the picture itself
APART = 1.0  # grades between the members' scores at which they disagree
NEAR = 0.05  # grades from a threshold


class Doubt(Section):
    """What was learnt about doubt."""

    confidence: float  # that a set holds the inspector's grade
    limits: list[float | None]  # by grade, of a score's distance; None: too few specimens to know one
    unlike: float  # distance to the nearest training photograph beyond which a photograph is unlike
    sharpness: float  # below which a picture is blurred


@dataclass(frozen=True)
class Seen:
    """What is known of photographs beside their grades."""

    scores: np.ndarray  # (n,) by position
    members: np.ndarray  # (m, n), their scores
    distances: np.ndarray  # (n,) to the nearest training photograph
    nearest: list[str]  # its path
    faults: list[quality.Fault | None]  # of the picture


def learn(
    validation: pd.DataFrame,
    distances: np.ndarray,
    sharpness: np.ndarray,
    rating: Grades,
    settings: Evaluate,
) -> Doubt:
    """What photographs of `validation` (columns score, actual by position, specimen) say.

    `distances` and `sharpness` (n,) are theirs.
    """
    specimens = validation.specimen.to_numpy()
    limits = conformal.limits(
        validation.score.to_numpy(), validation.actual.to_numpy(), specimens, rating, settings.confidence
    )
    return Doubt(
        confidence=settings.confidence,
        limits=[limit if math.isfinite(limit) else None for limit in limits],
        unlike=farthest(distances, specimens, settings.false_alarms),
        sharpness=quality.least_sharp(sharpness),
    )


def told(
    doubt: Doubt, seen: Seen, grades: np.ndarray, thresholds: list[float], rating: Grades
) -> pd.DataFrame:
    """`COLUMNS` of photographs with `grades` (n,) int.

    low and high are positions, look are `REASONS` apart by spaces, empty where there is none,
    distance is that to the nearest training photograph: 1 where a photograph begins to be unlike.
    """
    limits = [math.inf if limit is None else limit for limit in doubt.limits]
    low, high = conformal.sets(seen.scores, grades, limits)
    faults = np.array([fault or "" for fault in seen.faults])
    there = {fault: faults == fault for fault in PICTURE} | {
        "unlike": seen.distances > doubt.unlike,
        "border": (low < rating.worst_sound) & (high >= rating.worst_sound),
        "members": np.ptp(seen.members, axis=0) >= APART,
        "threshold": np.abs(seen.scores[:, None] - np.asarray(thresholds)).min(axis=1) < NEAR,
    }
    look = [" ".join(reason for reason in REASONS if there[reason][row]) for row in range(len(grades))]
    distance = seen.distances / doubt.unlike
    values = {"low": low, "high": high, "look": look, "nearest": seen.nearest, "distance": distance}
    return pd.DataFrame(values, columns=COLUMNS)
