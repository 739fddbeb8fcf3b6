"""The logistic regressions of a linear head with the output "corn".

The loss and its source are in `sabi/training/losses.py`; without hidden layers it is convex in each
border's weights, and has one minimum with a penalty on them.
"""

import numpy as np

CERTAIN = 0.01  # the least probability that is given to a side of a border on which there is nobody


def solved_conditionals(
    rows: np.ndarray, scores: np.ndarray, weights: np.ndarray, borders: int, penalties: list[float]
) -> np.ndarray:
    """Slopes and, last, intercepts (features + 1, borders, penalties) float64.

    Of `rows` (n, features) float64 with `scores` (n,) from 1 and `weights` (n,). Border k's fit minimises

        sum of weights * CORN's loss at k + penalty / 2 * the sum of its squared slopes

    `penalties` descend, so that each fit begins at the one before. A border with photographs on one side
    alone, or with none, has an intercept only. Memory is a copy of `rows`, in which a score between two
    grades is two.
    """
    from sklearn.linear_model import LogisticRegression

    fits = np.zeros((rows.shape[1] + 1, borders, len(penalties)))
    for border in range(1, borders + 1):
        above = np.clip(scores - border, 0, 1)
        given = np.clip(scores - (border - 1), 0, 1)  # above the border before; 1 at the first
        # A score between two grades is partly on either side: a row for each.
        shares = np.concatenate([above, given - above]) * np.tile(weights, 2)
        counted = np.flatnonzero(shares)
        is_above, chosen = counted < len(rows), rows[counted % len(rows)]
        if len({*is_above}) < 2:
            share = 1 - CERTAIN if is_above.any() else CERTAIN
            fits[-1, border - 1] = np.log(share / (1 - share))
            continue
        model = LogisticRegression(warm_start=True, tol=1e-6, max_iter=10_000)
        for step, penalty in enumerate(penalties):
            model.C = 1 / penalty
            model.fit(chosen, is_above, shares[counted])
            fits[:-1, border - 1, step], fits[-1, border - 1, step] = model.coef_[0], model.intercept_[0]
    return fits
