"""The correction by measured features: learns what helps, touches nothing else, says why there is none."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from sabi.grading import correction
from sabi.grading.correction import FEWEST, Known, Rule
from sabi.grading.thresholds import to_grades

THRESHOLDS = [1.5, 2.5, 3.5, 4.5]
ABOVE = 3


def kappa(truth, grades) -> float:
    return cohen_kappa_score(truth, grades, weights="quadratic", labels=range(1, 6))


def simulated(n: int, seed: int, telling: float) -> dict[str, np.ndarray]:
    """Photographs whose scores blur 3 and 4, and whose second feature tells them apart by `telling`."""
    random = np.random.default_rng(seed)
    truth = random.integers(1, 6, n)
    blurred = np.where((truth == 3) | (truth == 4), 3.5, truth)
    return {
        "scores": np.clip(blurred + random.normal(0, 0.15, n), 1, 5),
        "truth": truth,
        "features": np.column_stack(
            [random.normal(7, 3, n), telling * (truth > 3) + random.normal(0, 1, n), np.full(n, 0.25)]
        ),
        "specimens": np.array([f"specimen{i // 3}" for i in range(n)]),
    }


def fit(photographs: dict[str, np.ndarray], within: float = 0.5) -> Rule | str:
    return correction.fit(Known(**photographs), THRESHOLDS, ABOVE, within)


def corrected(rule: Rule, photographs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Grades before and after."""
    scores, features = photographs["scores"], photographs["features"]
    before = to_grades(scores, THRESHOLDS)
    return before, correction.apply(rule, scores, before, features)


@pytest.mark.parametrize("seed", range(5))
def test_a_telling_feature_raises_kappa_on_photographs_not_learnt_from(seed):
    rule = fit(simulated(200, seed, telling=4))
    others = simulated(400, seed + 100, telling=4)
    before, after = corrected(rule, others)
    assert kappa(others["truth"], after) > kappa(others["truth"], before) + 0.03


def test_features_of_any_unit_teach_the_same():
    photographs = simulated(200, 1, telling=4)
    others = simulated(400, 2, telling=4)
    _, expected = corrected(fit(photographs), others)
    for table in (photographs, others):
        table["features"] = table["features"] * [1e3, 1e-4, 1] + [5, -2, 0]
    _, found = corrected(fit(photographs), others)
    assert np.array_equal(found, expected)


finite = st.floats(-10, 10)


@given(
    st.lists(st.tuples(st.floats(1, 5), finite, finite), min_size=1, max_size=40),
    st.lists(st.floats(1.01, 4.99), min_size=4, max_size=4, unique=True).map(sorted),
    st.integers(1, 4),
    st.floats(0.01, 1),
    st.lists(finite, min_size=3, max_size=3),
    finite,
)
def test_only_photographs_near_the_threshold_move_and_only_between_its_grades(
    rows, thresholds, above, within, weights, intercept
):
    scores, features = np.array(rows)[:, 0], np.array(rows)[:, 1:]
    threshold = thresholds[above - 1]
    rule = Rule(above, threshold, within, [0.0] * 3, [1.0] * 3, weights, intercept)
    before = to_grades(scores, thresholds)
    after = correction.apply(rule, scores, before, features)
    moved = before != after
    assert np.all(np.abs(scores - threshold)[moved] <= within)
    assert set(before[moved].tolist()) | set(after[moved].tolist()) <= {above, above + 1}
    for i in np.flatnonzero((np.abs(scores - threshold) <= within) & np.isin(before, (above, above + 1))):
        logit = intercept + np.dot(weights, [scores[i] - threshold, *features[i]])
        if abs(logit) > 1e-9:
            assert after[i] == above + (logit > 0)


@given(st.integers(0, 30))
def test_a_photograph_is_corrected_alike_alone_and_among_others(which):
    others = simulated(31, 3, telling=2)
    rule = Rule(ABOVE, 3.5, 1.0, [0.0, 7.0, 1.0, 0.2], [0.1, 3.0, 2.0, 1.0], [0.3, -0.7, 2.1, 0.4], -0.2)
    _, together = corrected(rule, others)
    alone = {name: column[[which]] for name, column in others.items()}
    assert corrected(rule, alone)[1][0] == together[which]


def test_a_rule_is_plain_values_that_survive_json():
    rule = fit(simulated(200, 1, telling=4))
    assert Rule(**json.loads(json.dumps(asdict(rule)))) == rule


def test_learning_twice_gives_the_same_bits():
    assert fit(simulated(200, 1, telling=4)) == fit(simulated(200, 1, telling=4))


def test_too_few_photographs_near_the_threshold_teach_nothing():
    photographs = simulated(200, 1, telling=4)
    near = np.abs(photographs["scores"] - 3.5) <= 0.5
    for keep, taught in ((FEWEST - 1, False), (60, True)):
        chosen = np.flatnonzero(~near | (np.cumsum(near) <= keep))
        learnt = fit({name: column[chosen] for name, column in photographs.items()})
        assert isinstance(learnt, Rule) == taught
        assert taught or f"only {keep} validation photographs" in learnt


def test_photographs_of_one_side_or_one_specimen_teach_nothing():
    photographs = simulated(200, 1, telling=4)
    one_side = photographs["truth"] != 4
    learnt = fit({name: column[one_side] for name, column in photographs.items()})
    assert "on one side" in learnt
    assert "one specimen" in fit(photographs | {"specimens": np.full(200, "the same")})


def test_another_threshold_that_is_as_near_is_left_to_itself():
    # The wiki's thresholds are closer together than `within`.
    photographs = simulated(200, 1, telling=4)
    scores, features = photographs["scores"], photographs["features"]
    wiki = [2.3, 3.1, 3.4, 3.7]
    rule = Rule(3, 3.4, 0.6, [0.0] * 4, [1.0] * 4, [0.0] * 4, 1.0)
    before = to_grades(scores, wiki)
    after = correction.apply(rule, scores, before, features)
    assert np.any(before != after)
    assert np.array_equal(after == 2, before == 2) and np.array_equal(after == 5, before == 5)


def test_what_tells_only_the_specimen_is_not_kept():
    """Each specimen has features of its own that say nothing of its grade, and many photographs."""
    random = np.random.default_rng(4)
    specimen = np.repeat(np.arange(8), 10)
    truth = np.tile([3, 4], 4)[specimen]
    photographs = {
        # The scores are right more often than not, so that unlearning them costs.
        "scores": np.clip(truth + random.normal(0, 0.45, 80), 3.05, 3.95),
        "truth": truth,
        "features": random.normal(0, 1, (8, 6))[specimen] + random.normal(0, 0.01, (80, 6)),
        "specimens": np.array([f"specimen{i}" for i in specimen]),
    }
    seen = correction._rows(photographs["scores"], photographs["features"], 3.5)
    flattered = correction._learn(seen, truth > ABOVE, ABOVE, 3.5, 0.5)
    before, after = corrected(flattered, photographs)
    assert kappa(truth, after) > kappa(truth, before) + 0.1
    assert "does not raise kappa" in fit(photographs)
