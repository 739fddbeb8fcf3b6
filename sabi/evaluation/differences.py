"""Whether one result is better than another: photograph by photograph, not figure by figure.

Two results are compared on the same photographs, because the difference
between two pipelines on one photograph varies far less than photographs do.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sabi.evaluation import sets
from sabi.evaluation.metrics import METRICS, interval, resampled, weighted
from sabi.grades import Grades

# A percentile interval of few specimens is too narrow. Simulated without any real difference, it leaves
# out zero in 16 of 100 cases with 6 specimens, in 10 with 10, in 8 with 20, in 6 with 33.
FEWEST = 10


@dataclass(frozen=True)
class Difference:
    """A metric of two results and what it rose by, with the 95 % interval; None where it does not exist."""

    base: float | None
    new: float | None
    value: float | None
    low: float | None
    high: float | None


def common(base: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of two tables of predictions that are about the same photographs, in the same order.

    A photograph is its content (`sha256`), not its name; one that was graded
    anew by the inspector (`actual`) is another.
    """
    keys = ["sha256", "actual"]
    both = base[keys].merge(new[keys])
    return tuple(table.merge(both).sort_values(keys, ignore_index=True) for table in (base, new))


def differences(
    base: pd.DataFrame, new: pd.DataFrame, rating: Grades, *, resamples: int, seed: int
) -> dict[str, Difference]:
    """The difference, new less base, of every metric, from predictions of the same photographs.

    The tables (columns specimen, actual, predicted, score, and low, high, look for
    the metrics of sets, which are left out without) are as `common` gives them, not
    empty. The interval is from a paired cluster bootstrap:
    each resample draws whole specimens, and both results are measured on it
    (Davison and Hinkley, 1997, sections 3.8 and 4.4).
    """
    times = resampled(new.specimen.to_numpy(), resamples, seed)
    # First the photographs as they are, then the resamples.
    times = np.vstack([np.ones(len(new)), times])
    measured = [
        weighted(times, table.actual.to_numpy(), table.predicted.to_numpy(), table.score.to_numpy(), rating)
        for table in (base, new)
    ]
    names: tuple[str, ...] = METRICS
    if sets.given(base) and sets.given(new):
        names += sets.METRICS
        for values, table in zip(measured, (base, new), strict=True):
            values |= sets.weighted(times, table, rating)
    result = {}
    for name in names:
        before, after = (values[name] for values in measured)
        rise = after - before
        point = [None if np.isnan(value[0]) else round(float(value[0]), 6) for value in (before, after, rise)]
        result[name] = Difference(*point, *interval(rise[1:]))
    return result


def verdict(difference: Difference, better: str, photographs: int, specimens: int) -> str:
    """What a difference means: better or worse only if its interval leaves out zero.

    `better` is "higher" or "lower"; `photographs` of `specimens` were compared. Of
    fewer specimens than `FEWEST` a bootstrap tells nothing.
    """
    low, high = difference.low, difference.high
    if low is None or high is None or difference.value is None:
        return "does not exist"
    if low == high == difference.value == 0:
        return "no difference"
    if low <= 0 <= high or specimens < FEWEST:
        return cannot_tell(photographs)
    return "better" if (low > 0) == (better == "higher") else "worse"


def cannot_tell(photographs: int) -> str:
    """The verdict that so many photographs allow none."""
    return f"cannot tell with {photographs} photographs"


def mcnemar(base: pd.DataFrame, new: pd.DataFrame) -> tuple[int, int, float]:
    """Photographs that only `base` grades right, that only `new` does, and the p-value of McNemar's test.

    The exact, two-sided form: of the photographs on which just one is right, either is
    as likely under the null hypothesis (McNemar, Psychometrika 12, 1947; Fagerland et
    al., BMC Medical Research Methodology 13, 2013). It takes photographs for
    independent, which those of one specimen are not.
    """
    from scipy.stats import binomtest

    right = [(table.actual == table.predicted).to_numpy() for table in (base, new)]
    lost, won = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return lost, won, float(binomtest(won, lost + won).pvalue) if lost + won else 1.0
