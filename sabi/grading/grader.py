"""Photographs in, grades out: the one place where a photograph is graded."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sabi.grading import correction, occlusion
from sabi.grading.doubt import Seen, told
from sabi.grading.ensembling import combine
from sabi.grading.model import TRAINING, ModelSpec, check
from sabi.grading.novelty import Neighbours
from sabi.grading.thresholds import to_grades
from sabi.models.member import Scorer
from sabi.photographs import quality
from sabi.photographs.decoding import check_coverage
from sabi.photographs.features import FEATURES, in_unit
from sabi.photographs.files import Unusable
from sabi.photographs.reading import Reading, Wanted, read_all, read_array
from sabi.runtime.repository import repository_root
from sabi.runtime.store import STORE, Store
from sabi.runtime.threads import map_threads

AT_ONCE = 256  # photographs in memory

# A file's path, a file's bytes, or upright pixels (height, width, 3) uint8.
Photograph = Path | bytes | np.ndarray


@dataclass(frozen=True)
class Row:
    """What is said of one photograph: a grade, or the reason why there is none."""

    score: float | None = None  # on the scale of the grades' names, else 1, the worst, to their number
    position: int | None = None  # the grade's, from 1, the worst
    name: str | None = None  # the grade's
    low: str | None = None  # the worst grade that it may be, its name
    high: str | None = None  # the best
    look: str | None = None  # `sabi.grading.doubt.REASONS` to look at it, apart by spaces
    nearest: str | None = None  # the training photograph that looks most like it
    distance: float | None = None  # to that one; beyond 1 they are unlike
    reason: str | None = None  # why the photograph cannot be used


class Grader:
    """Grades photographs as the model in a folder was trained to, whatever `params.yaml` says today."""

    def __init__(
        self,
        spec: ModelSpec,
        scorers: list[Scorer],
        training: Neighbours,
        readings: Path | None = None,
    ) -> None:
        """`readings` is the file of the store that keeps what is read of photographs; None if none does."""
        self.spec = spec
        self._readings = readings
        self._scorers = scorers
        self._training = training
        self._measures = spec.correction is not None or any(scorer.spec.measured for scorer in scorers)

    @classmethod
    def load(cls, folder: Path, store: Path | None = None, keep_readings: bool = True) -> "Grader":
        """The grader that `sabi.grading.model.save` wrote; raises `InputError` if a byte of it is another.

        The networks are loaded, or built, for the first photograph; `store` is the file in which
        they, embeddings and, with `keep_readings`, photographs as the networks see them are kept,
        the repository's for None.
        """
        check(folder)
        spec = ModelSpec.read(folder)
        scorers = [Scorer(folder / member, store) for member in spec.weights]
        readings = (store or repository_root() / STORE) if keep_readings else None
        return cls(spec, scorers, Neighbours.load(folder / TRAINING), readings)

    def export(self, folder: Path) -> None:
        """Write each network's forward pass into its place in a copy of the model's folder."""
        for member, scorer in zip(self.spec.weights, self._scorers, strict=True):
            scorer.export(folder / member)

    def grade(
        self,
        photographs: Sequence[Photograph],
        scales: Sequence[float | None] | None = None,
        label: str | None = None,
        keep: bool = True,
    ) -> list[Row]:
        """A row for each photograph, in order; some are in memory at a time, whatever their number.

        `scales` are millimetres a pixel, the model's own for None. A photograph's row
        is the same in any company. `label` shows a progress bar; without `keep` no embedding is
        looked up or kept.
        """
        return [row for rows, _ in self._batches(photographs, scales, label, keep) for row in rows]

    def grade_with_features(
        self,
        photographs: Sequence[Photograph],
        scales: Sequence[float | None] | None = None,
        label: str | None = None,
    ) -> tuple[list[Row], np.ndarray]:
        """The rows that `grade` gives, and what the heads see of the photographs that have a grade.

        That is (m, f) float32, standardised, the members' side by side, in order; all in memory.
        """
        batches = list(self._batches(photographs, scales, label))
        rows = [row for some, _ in batches for row in some]
        features = [seen for _, seen in batches if len(seen)]
        return rows, np.concatenate(features) if features else np.zeros((0, 0), np.float32)

    def _batches(
        self,
        photographs: Sequence[Photograph],
        scales: Sequence[float | None] | None,
        label: str | None,
        keep: bool = True,
    ) -> Iterator[tuple[list[Row], np.ndarray]]:
        """Rows of some photographs at a time, in order, and what the heads see of those with a grade."""
        known = scales if scales is not None else [None] * len(photographs)
        given = list(zip(photographs, known, strict=True))
        with tqdm(total=len(given), desc=label, disable=label is None, unit="photo") as bar:
            for start in range(0, len(given), AT_ONCE):
                some = self._seen_all(given[start : start + AT_ONCE])
                usable = [seen for seen in some if not isinstance(seen, Unusable)]
                graded, features = (
                    self._graded(usable, keep) if usable else ([], np.zeros((0, 0), np.float32))
                )
                rest = iter(graded)
                yield (
                    [Row(reason=str(seen)) if isinstance(seen, Unusable) else next(rest) for seen in some],
                    features,
                )
                bar.update(len(some))

    def why(self, photograph: Photograph, scale: float | None = None) -> Image.Image | Unusable:
        """The photograph as the networks see it, red where it pulls the score down, blue where up."""
        [seen] = self._seen_all([(photograph, scale)])
        return seen if isinstance(seen, Unusable) else self.explained(*seen)

    def explained(self, pixels: np.ndarray, features: list[float], keep: bool = False) -> Image.Image:
        """`why` of what the networks see (size, size, 3) uint8, and the features measured, if any are.

        With `keep` embeddings are looked up and kept, for a photograph that will be asked about again.
        """

        def score(covered: np.ndarray) -> np.ndarray:
            given = self._given(covered, np.tile(features, (len(covered), 1)), keep)
            return self._scored(given)[1]

        return occlusion.picture(pixels, occlusion.effects(pixels, score))

    def _given(self, pixels: np.ndarray, features: np.ndarray, keep: bool) -> list[np.ndarray]:
        """What each member's head is given of photographs and the `features` measured in them."""
        measured = features if self._measures else None
        return [scorer.features(pixels, measured, keep) for scorer in self._scorers]

    def _scored(self, given: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The members' scores (m, n) of what `_given` gave, and the ensemble's (n,)."""
        each = np.stack([scorer.score(rows) for scorer, rows in zip(self._scorers, given, strict=True)])
        return each, combine(each, self.spec.method, list(self.spec.weights.values()))

    def _seen_all(
        self, given: Sequence[tuple[Photograph, float | None]]
    ) -> list[tuple[np.ndarray, list[float]] | Unusable]:
        """What the networks see, and what is measured if that is needed; or why it cannot be used."""
        scaled = [(one, self.spec.mm_per_pixel if scale is None else scale) for one, scale in given]
        arrays = iter(
            map_threads(
                lambda one: read_array(*one, self._wanted, self._measures),
                [(one, scale) for one, scale in scaled if isinstance(one, np.ndarray)],
            )
        )
        files = [(one, scale) for one, scale in scaled if not isinstance(one, np.ndarray)]
        with Store(self._readings) if files and self._readings else nullcontext() as store:
            read = read_all([one for one, _ in files], [scale for _, scale in files], self._wanted, store)
            return [
                self._seen(next(arrays) if isinstance(one, np.ndarray) else next(read), scale)
                for one, scale in scaled
            ]

    @property
    def _wanted(self) -> Wanted:
        spec = self.spec
        return Wanted(spec.size, spec.target_mm_per_pixel, spec.min_side, spec.max_megapixels)

    def _seen(
        self, reading: Reading | Unusable, scale: float | None
    ) -> tuple[np.ndarray, list[float]] | Unusable:
        if isinstance(reading, Unusable):
            return reading
        spec, decoded = self.spec, reading.decoded
        try:
            check_coverage(decoded.width, decoded.height, scale, spec.size, spec.target_mm_per_pixel)
            return reading.pixels, self._measured(reading, scale) if self._measures else []
        except Unusable as reason:
            return reason

    def _measured(self, reading: Reading, scale: float | None) -> list[float]:
        """`FEATURES`, in the unit of the training photographs'."""
        if self.spec.millimetres and scale is None:
            raise Unusable(
                "its scale is unknown, but grains were learnt in millimetres; "
                "give mm_per_pixel in labels.csv, or scale.photographs"
            )
        features = in_unit(reading.features, scale if self.spec.millimetres else None)
        return [features[name] for name in FEATURES]

    def _graded(self, seen: list[tuple[np.ndarray, list[float]]], keep: bool) -> tuple[list[Row], np.ndarray]:
        """Rows of photographs, at least one, and what the heads see of them, side by side."""
        pixels, features = (np.array(column) for column in zip(*seen, strict=True))
        spec, names = self.spec, self.spec.grades
        given = self._given(pixels, features, keep)
        each, scores = self._scored(given)
        grades = to_grades(scores, spec.thresholds)
        if spec.correction is not None:
            grades = correction.apply(spec.correction, scores, grades, features)
        alike = np.hstack(
            [scorer.standardised(rows) for scorer, rows in zip(self._scorers, given, strict=True)]
        )
        distances, nearest = self._training.nearest(alike)
        faults = [quality.fault(photo, quality.sharpness(photo), spec.doubt.sharpness) for photo in pixels]
        known = Seen(scores, each, distances, nearest, faults)
        doubted = told(spec.doubt, known, grades, spec.thresholds, spec.rating)
        rows = [
            Row(
                score=float(score),
                position=int(grade),
                name=names[grade - 1],
                low=names[doubt.low - 1],
                high=names[doubt.high - 1],
                look=doubt.look,
                nearest=doubt.nearest,
                distance=doubt.distance,
            )
            for score, grade, doubt in zip(
                spec.rating.shown(scores), grades, doubted.itertuples(), strict=True
            )
        ]
        return rows, alike
