"""Wrong grades are found: some are planted among the drawings of the sample."""

import numpy as np
import pandas as pd
import pytest

from sabi.evaluation.audit import COLUMNS, audit
from sabi.settings.loading import load
from sabi.tables import MANIFEST, TRAINED, read_graded
from sabi.training.frozen import head_spec
from sabi.training.ridge import Examples, fit_ridge
from tests.conftest import ROOT

EMBEDDINGS = ROOT / TRAINED / "mobilenet/embeddings.npy"


def test_the_most_doubtful_come_first_and_what_nobody_scored_is_left_out():
    manifest = pd.DataFrame(
        {"path": ["a", "b", "c", "d"], "partition": "train", "specimen": "s", "grade": [1, 2, 3, 5]}
    )
    scores = pd.DataFrame({"path": ["d", "b", "a"], "score": [4.0, np.nan, 3.0]})
    table = audit(manifest, scores)
    assert list(table) == COLUMNS
    assert table[["path", "apart"]].to_numpy().tolist() == [["a", 2.0], ["d", 1.0]]


@pytest.mark.slow
@pytest.mark.skipif(not EMBEDDINGS.exists(), reason="no embeddings of the sample; `dvc repro` makes them")
def test_planted_wrong_grades_are_among_the_first():
    """One in twenty is two grades off: chance would find 5 % of them in the first 5 %."""
    params = load(ROOT / "params.yaml")
    manifest = read_graded(ROOT / MANIFEST, params.labels.rating)
    rows = np.load(EMBEDDINGS)[manifest.partition == "train"]
    train = manifest[manifest.partition == "train"].reset_index(drop=True)
    random = np.random.default_rng(15)
    planted = random.choice(len(train), len(train) // 20, replace=False)
    grade = train.grade.to_numpy().copy()
    grade[planted] = np.where(grade[planted] <= 2, grade[planted] + 2, grade[planted] - 2)
    half = rows.shape[1] // 2
    known = Examples(
        rows, grade.astype(float), np.ones(len(rows)), train.specimen.to_numpy(), np.ones(len(rows), bool)
    )
    spec = head_spec("mobilenet", rows.shape[1], params)
    fitted = fit_ridge(known, (rows[:1], grade[:1]), [half], spec, params.train, lambda *_: None)
    scores = train[["path"]].assign(score=fitted.out_of_fold)
    first = audit(train.assign(grade=grade), scores).path[: len(planted)]
    assert len(set(first) & set(train.path[planted])) / len(planted) > 0.6
