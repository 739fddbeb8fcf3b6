"""What trained weights are worth, as the table of docs/results/weights.md: `sabi weights --measure DIR`.

Cross-validation by specimen over graded photographs in a folder: the same
folds for every setting, heads as the pipeline's, scores rounded to the nearest
grade, so that nothing is tuned on what is judged.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sabi.backbones.embedder import Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.bench.pages import renew
from sabi.evaluation.metrics import intervals, measure
from sabi.grading.thresholds import middles, to_grades
from sabi.photographs import labels
from sabi.photographs.decoding import decode, prepared
from sabi.photographs.features import FEATURES
from sabi.photographs.features import measure as measure_features
from sabi.photographs.files import find
from sabi.photographs.partition import place_of, specimen_of, ungraded
from sabi.runtime.errors import InputError
from sabi.runtime.threads import map_threads
from sabi.settings.params import Params
from sabi.settings.train import Train
from sabi.training.frozen import head_spec
from sabi.training.ridge import Examples, fit_ridge

PAGE = Path("docs/results/weights.md")
FOLDS = 5
STANDARD = ("efficientnet", "densenet", "mobilenet")
LITES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
SIDES = {"efficientnet_lite1": 240, "efficientnet_lite2": 260}


@dataclass(frozen=True)
class Setting:
    """What is measured: an ensemble of networks with weights, at a size, over flips."""

    title: str
    networks: tuple[str, ...]
    size: int = 224  # pixels, where `SIDES` says no other
    flips: int = 1
    layers: str = "every_resolution"
    measured: float | None = None  # the weight of measured features


def settings() -> list[Setting]:
    """The rows of the table."""
    lite0 = LITES[:1]
    return [
        Setting("the standard three, random weights, 128 px (the default)", STANDARD, size=128),
        Setting("the same, four flips", STANDARD, size=128, flips=4),
        Setting("EfficientNet-Lite0, last block's mean alone", lite0, layers="last_block"),
        Setting("EfficientNet-Lite0, every resolution", lite0),
        Setting("the same, two flips", lite0, flips=2),
        Setting("the same, four flips", lite0, flips=4),
        Setting("the same with measured features, weight 1", lite0, flips=4, measured=1.0),
        Setting("the same with measured features, weight 10", lite0, flips=4, measured=10.0),
        Setting("EfficientNet-Lite0, 128 px, four flips", lite0, size=128, flips=4),
        Setting("EfficientNet-Lite1, 240 px, four flips", LITES[1:2], flips=4),
        Setting("EfficientNet-Lite2, 260 px, four flips", LITES[2:], flips=4),
        Setting("Lite0, Lite1 and Lite2, four flips", LITES, flips=4),
        Setting("Lite0 and the standard three (random weights), 128 px", (*lite0, *STANDARD), size=128),
    ]


def measure_all(folder: Path, params: Params, page: Path = PAGE) -> None:
    """Measure every setting on the graded photographs in `folder` and write the table into `page`.

    Raises `InputError` if a grade has fewer photographs than there are folds, or weights are missing.
    """
    photographs = read(folder, params)
    rows = [row(setting, photographs, params) for setting in settings()]
    header = "| features | accuracy | kappa | mean error | bad rust found | sound left alone |"
    renew(page, "weights", "\n".join([header, "|---|---|---|---|---|---|", *rows]) + "\n")


def read(folder: Path, params: Params) -> pd.DataFrame:
    """Path, grade (from 1), specimen and fold of the graded photographs in a folder."""
    known, _ = labels.read(folder, find(folder), params.labels)
    names = params.labels.grades
    table = pd.DataFrame(
        [
            (
                folder / path,
                label.grade,
                specimen_of(path, params.split.specimen)
                or ungraded(path, names[label.grade - 1], params.labels.source),
            )
            for path, label in sorted(known.items())
        ],
        columns=["path", "grade", "specimen"],
    )
    counts = table.grade.value_counts()
    for number, name in enumerate(names, start=1):
        if counts.get(number, 0) < FOLDS:
            raise InputError(
                f"{folder}: {counts.get(number, 0)} photographs of grade {name}; {FOLDS} are needed"
            )
    place = [place_of(specimen, params.split.seed, FOLDS) for specimen in table.specimen]
    return table.assign(fold=np.floor(place).astype(int))


def row(setting: Setting, photographs: pd.DataFrame, params: Params) -> str:
    """A line of the table."""
    rating, truth = params.labels.rating, photographs.grade.to_numpy()
    scores = np.mean([scored(name, setting, photographs, params) for name in setting.networks], axis=0)
    grades = to_grades(scores, middles(len(rating.names)))
    values = measure(truth, grades, scores, rating)
    bounds = intervals(
        truth, grades, scores, photographs.specimen.to_numpy(), rating, params.evaluate.bootstrap
    )
    cells = [
        f"{values[name]:.3f} ({bounds[name][0]:.3f} to {bounds[name][1]:.3f})"
        for name in ("accuracy", "kappa", "mae", "sensitivity", "specificity")
    ]
    line = f"| {' | '.join([setting.title, *cells])} |"
    print(line, flush=True)
    return line


def scored(name: str, setting: Setting, photographs: pd.DataFrame, params: Params) -> np.ndarray:
    """Scores (n,) of one network, of each photograph by a head that has not seen its fold."""
    size = setting.size if setting.size == 128 else SIDES.get(name, setting.size)
    train = chosen(name, setting, params.train)
    embed = Embedder(BackboneSpec.of(name, train, size))
    rows = embed(pixels_of(photographs.path, size), f"{name}: embed")
    if setting.measured is not None:
        rows = np.hstack([rows, measured_of(photographs.path)])
    scores, grades = np.empty(len(rows)), photographs.grade.to_numpy(float)
    spec = head_spec(name, rows.shape[1], params)
    for fold in range(FOLDS):
        out = (photographs.fold == fold).to_numpy()
        known = Examples(
            rows[~out],
            grades[~out],
            np.ones((~out).sum()),
            photographs.specimen[~out].to_numpy(),
            np.ones((~out).sum(), bool),
        )
        fitted = fit_ridge(known, (rows[out], grades[out]), embed.channels, spec, train, lambda *_: None)
        scores[out] = fitted.head.predict(rows[out])
    return scores


def chosen(name: str, setting: Setting, train: Train) -> Train:
    """The section `train` of a setting."""
    statistics = "mean" if setting.layers == "last_block" else "mean_std"
    values = train.model_dump()
    values["pooling"] |= {"layers": setting.layers, "statistics": statistics, "flips": setting.flips}
    values["weights_of"] = dict.fromkeys(LITES, "weights")
    values["measured_weight"] = setting.measured or 1.0
    return Train.model_validate(values)


def pixels_of(paths: pd.Series, size: int) -> np.ndarray:
    """What the networks see (n, size, size, 3) uint8."""
    return np.stack(map_threads(lambda path: prepared(decode(path), size, None, None), paths))


def measured_of(paths: pd.Series) -> np.ndarray:
    """`FEATURES` (n, f) float32."""
    features = map_threads(lambda path: measure_features(decode(path), None), paths)
    return np.array([[one[name] for name in FEATURES] for one in features], np.float32)
