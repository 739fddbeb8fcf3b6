"""What trained weights are worth, as the table of docs/results/weights.md: `sabi weights --measure DIR`.

Cross-validation by specimen over graded photographs in a folder: the same
folds for every setting, heads as the pipeline's, scores rounded to the nearest
grade, so that nothing is tuned on what is judged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sabi.backbones.embedder import Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.bench.pages import renew
from sabi.bench.photographs import stretched
from sabi.evaluation.differences import differences, verdict
from sabi.evaluation.metrics import intervals, measure
from sabi.grading.thresholds import middles, to_grades
from sabi.models.head import HeadSpec
from sabi.networks import STANDARD
from sabi.photographs.features import FEATURES
from sabi.photographs.manifest import split
from sabi.photographs.partition import place_of
from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.training.dense import fit_dense
from sabi.training.frozen import head_spec
from sabi.training.ridge import Examples, fit_ridge
from sabi.weights.fetching import LITES

PAGE = Path("docs/results/weights.md")
FOLDS = 5
BLOCK = 20  # specimens with neighbouring names, kept together: taken one after the other, they look alike
LITE0 = LITES[:1]
NATIVE = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}  # pixels
SHOWN = ("accuracy", "kappa", "mae", "sensitivity", "specificity")
HEADER = (
    "| features | accuracy | kappa | mean error | bad rust found | sound left alone "
    "| accuracy, neighbours kept together | accuracy against the first row |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Setting:
    """What is measured: an ensemble of networks with weights, at a size, over flips, under a head."""

    title: str
    networks: list[str]
    size: int | None = None  # pixels; None for what each was trained on
    flips: int = 4
    layers: str = "every_resolution"
    measured: float | None = None  # the weight of measured features
    head: str = "ridge"
    output: str = "linear"


SETTINGS = [
    Setting("EfficientNet-Lite0, every resolution, four flips", LITE0),
    Setting("the same, one flip", LITE0, flips=1),
    Setting("the same, two flips", LITE0, flips=2),
    Setting("four flips with measured features, weight 1", LITE0, measured=1.0),
    Setting("four flips with measured features, weight 10", LITE0, measured=10.0),
    Setting("the same with a linear CORN head", LITE0, measured=10.0, output="corn"),
    Setting("the same with a dense CORN head", LITE0, measured=10.0, head="dense", output="corn"),
    Setting("last block's mean alone, one flip", LITE0, flips=1, layers="last_block"),
    Setting("the standard three, random weights, 128 px (the default)", [*STANDARD], size=128, flips=1),
    Setting("the same, four flips", [*STANDARD], size=128),
    Setting("EfficientNet-Lite0, 128 px, four flips", LITE0, size=128),
    Setting("EfficientNet-Lite1, four flips", LITES[1:2]),
    Setting("EfficientNet-Lite2, four flips", LITES[2:3]),
    Setting("Lite0, Lite1 and Lite2, four flips", LITES),
    Setting("Lite0 and the standard three (random weights), 128 px", [*LITE0, *STANDARD], size=128),
]


class Photographs:
    """Graded photographs."""

    def __init__(self, folder: Path, params: Params) -> None:
        """Those in `folder`; raises `InputError` for a grade with fewer than folds and few specimens."""
        manifest, *_ = split(folder, params)
        self.table = manifest
        counts = manifest.grade.value_counts()
        for number, name in enumerate(params.labels.grades, start=1):
            if counts.get(number, 0) < FOLDS:
                raise InputError(
                    f"{folder}: {counts.get(number, 0)} photographs of grade {name} can be used; "
                    f"{FOLDS} are needed"
                )
        self._params = params
        self._files = [folder / path for path in manifest.path]
        if len({*self.folds(params.split.seed, BLOCK)}) < 3:
            raise InputError(f"{folder}: too few specimens for folds of {BLOCK} neighbours; 100 are enough")

    def pixels(self, size: int) -> np.ndarray:
        """What the networks see (n, size, size, 3) uint8."""
        return np.stack([reading.pixels for reading in stretched(self._files, self._params, size)])

    def measured(self) -> np.ndarray:
        """`FEATURES` (n, f) float32."""
        features = [
            reading.features for reading in stretched(self._files, self._params, self._params.augment.size)
        ]
        return np.array([[one[name] for name in FEATURES] for one in features], np.float32)

    def folds(self, seed: int, block: int) -> np.ndarray:
        """The fold (n,) of each, drawn for `block` specimens with neighbouring names at a time."""
        ordered = sorted(set(self.table.specimen), key=_by_number)
        firsts = {name: ordered[at - at % block] for at, name in enumerate(ordered)}
        drawn = {name: int(place_of(first, seed, FOLDS)) for name, first in firsts.items()}
        return self.table.specimen.map(drawn).to_numpy()


def _by_number(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]


def measure_all(
    folder: Path, params: Params, page: Path = PAGE, settings: Sequence[Setting] = SETTINGS
) -> None:
    """Measure `settings` on the graded photographs in `folder` and write the table into `page`.

    Raises `InputError` if a grade has fewer photographs than there are folds, or weights are missing.
    """
    photographs = Photographs(folder, params)
    rows: list[str] = []
    first = None
    for setting in settings:
        one, blocks = cross_validated(setting, photographs, params)
        rows.append(row(setting.title, one, blocks, first, params))
        first = one if first is None else first
        print(rows[-1], flush=True)
    renew(page, "weights", HEADER + "\n".join(rows) + "\n")


def row(
    title: str, one: pd.DataFrame, blocks: pd.DataFrame, first: pd.DataFrame | None, params: Params
) -> str:
    """A line of the table: predictions without and with blocks, beside those of the first row, if another."""
    rating, bootstrap = params.labels.rating, params.evaluate.bootstrap
    values, bounds = measured_of(one, params), bounds_of(one, params)
    cells = [f"{values[name]:.3f} ({bounds[name][0]:.3f} to {bounds[name][1]:.3f})" for name in SHOWN]
    low, high = bounds_of(blocks, params)["accuracy"]
    cells.append(f"{measured_of(blocks, params)['accuracy']:.3f} ({low:.3f} to {high:.3f})")
    if first is None:
        cells.append("–")
    else:
        found = differences(first, one, rating, resamples=bootstrap.resamples, seed=bootstrap.seed)[
            "accuracy"
        ]
        said = verdict(found, "higher", len(one), one.specimen.nunique())
        cells.append(f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f}): {said}")
    return f"| {' | '.join([title, *cells])} |"


def measured_of(judged: pd.DataFrame, params: Params) -> dict:
    """The metrics of predictions."""
    return measure(*_columns(judged), params.labels.rating)


def bounds_of(judged: pd.DataFrame, params: Params) -> dict:
    """Their intervals."""
    specimens, rating = judged.specimen.to_numpy(), params.labels.rating
    return intervals(*_columns(judged), specimens, rating, params.evaluate.bootstrap)


def _columns(judged: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return judged.actual.to_numpy(), judged.predicted.to_numpy(), judged.score.to_numpy()


@dataclass(frozen=True)
class Seen:
    """What one network sees in the photographs."""

    rows: np.ndarray  # (n, features) float32, measured features at the end
    channels: list[int]
    spec: HeadSpec
    params: Params  # with the section `train` of the setting


def cross_validated(setting: Setting, photographs: Photographs, params: Params) -> list[pd.DataFrame]:
    """Predictions (specimen, actual, predicted, score) by heads that have not seen a photograph's fold.

    First with each specimen drawn for itself, then with neighbours kept together.
    """
    seen = [seen_by(name, setting, photographs, params) for name in setting.networks]
    table, borders = photographs.table, middles(len(params.labels.grades))
    found = []
    for block in (1, BLOCK):
        folds = photographs.folds(params.split.seed, block)
        scores = np.mean([scored(one, table, folds) for one in seen], axis=0)
        columns = {"specimen": table.specimen, "actual": table.grade}
        found.append(pd.DataFrame(columns | {"predicted": to_grades(scores, borders), "score": scores}))
    return found


def seen_by(name: str, setting: Setting, photographs: Photographs, params: Params) -> Seen:
    """What a network sees in a setting."""
    own = with_train(name, setting, params)
    size = setting.size or NATIVE[name]
    embed = Embedder(BackboneSpec.of(name, own.train, size))
    rows = embed(photographs.pixels(size), f"{name}: embed")
    if setting.measured is not None:
        rows = np.hstack([rows, photographs.measured()])
    return Seen(rows, embed.channels, head_spec(name, rows.shape[1], own), own)


def scored(seen: Seen, table: pd.DataFrame, folds: np.ndarray) -> np.ndarray:
    """Scores (n,) of one network, of each photograph by a head that has not seen its fold."""
    rows, grades, specimens = seen.rows, table.grade.to_numpy(float), table.specimen.to_numpy()
    scores = np.empty(len(rows))
    drawn = np.unique(folds)  # all, but where there are few blocks
    for at, fold in enumerate(drawn):
        out = folds == fold
        if seen.params.train.head == "ridge":
            known = ~out
            pure = np.ones(known.sum(), bool)
            examples = Examples(rows[known], grades[known], np.ones(known.sum()), specimens[known], pure)
            held = rows[out], grades[out]  # only measured, nothing is chosen by it
            fitted = fit_ridge(examples, held, seen.channels, seen.spec, seen.params.train, lambda *_: None)
        else:
            stop = folds == drawn[at - 1]  # by which the epoch is chosen
            known = ~(out | stop)
            learnt = rows[known], grades[known], np.ones(known.sum())
            held = rows[stop], grades[stop]
            fitted = fit_dense(learnt, held, seen.channels, seen.spec, seen.params, lambda *_: None)
        scores[out] = fitted.head.predict(rows[out])
    return scores


def with_train(name: str, setting: Setting, params: Params) -> Params:
    """The parameters with the section `train` of a setting."""
    statistics = "mean" if setting.layers == "last_block" else "mean_std"
    values = params.train.model_dump()
    values["pooling"] |= {"layers": setting.layers, "statistics": statistics, "flips": setting.flips}
    values["weights_of"] = {name: "weights"} if name in LITES else {}
    values["measured_weight"] = setting.measured or 1.0
    values |= {"head": setting.head, "output": setting.output}
    # Of some widths the best on the folds that end a training; with the wiki's 2048 nothing is learnt here.
    values["dense"] |= {"units": [64]}
    train = type(params.train).model_validate(values)
    return params.model_copy(update={"train": train})
