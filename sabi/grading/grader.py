"""Photographs in, grades out: the one place where a photograph is graded."""

from collections.abc import Sequence
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
from sabi.photographs.decoding import check_size, decode, prepared
from sabi.photographs.features import FEATURES, measure
from sabi.photographs.files import Unusable, check_name
from sabi.runtime.threads import map_threads

AT_ONCE = 256  # photographs in memory

# A file's path, a file's bytes, or upright pixels (height, width, 3) uint8.
Photograph = Path | bytes | np.ndarray


@dataclass(frozen=True)
class Row:
    """What is said of one photograph: a grade, or the reason why there is none."""

    score: float | None  # on the scale of the grades' names, else 1, the worst, to their number
    position: int | None  # the grade's, from 1, the worst
    name: str | None  # the grade's
    low: str | None  # the worst grade that it may be, its name
    high: str | None  # the best
    look: str | None  # `sabi.grading.doubt.REASONS` to look at it, apart by spaces
    nearest: str | None  # the training photograph that looks most like it
    distance: float | None  # to that one; beyond 1 they are unlike
    reason: str | None  # why the photograph cannot be used

    @classmethod
    def rejected(cls, reason: str) -> "Row":
        """Of a photograph that cannot be used."""
        return cls(None, None, None, None, None, None, None, None, reason)


class Grader:
    """Grades photographs as the model in a folder was trained to, whatever `params.yaml` says today."""

    def __init__(self, spec: ModelSpec, scorers: list[Scorer], training: Neighbours) -> None:
        self.spec = spec
        self._scorers = scorers
        self._training = training
        self._measures = spec.correction is not None or any(scorer.spec.measured for scorer in scorers)

    @classmethod
    def load(cls, folder: Path, store: Path | None = None) -> "Grader":
        """The grader that `sabi.grading.model.save` wrote; raises `InputError` if a byte of it is another.

        The networks are loaded, or built, for the first photograph; `store` is the file in which
        they and embeddings are kept, the repository's for None.
        """
        check(folder)
        spec = ModelSpec.read(folder)
        scorers = [Scorer(folder / member, store) for member in spec.weights]
        return cls(spec, scorers, Neighbours.load(folder / TRAINING))

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
        known = scales if scales is not None else [None] * len(photographs)
        given = list(zip(photographs, known, strict=True))
        rows: list[Row] = []
        with tqdm(total=len(given), desc=label, disable=label is None, unit="photo") as bar:
            for start in range(0, len(given), AT_ONCE):
                some = map_threads(lambda item: self._seen(*item), given[start : start + AT_ONCE])
                graded = iter(self._graded([seen for seen in some if not isinstance(seen, Unusable)], keep))
                rows += [
                    Row.rejected(str(seen)) if isinstance(seen, Unusable) else next(graded) for seen in some
                ]
                bar.update(len(some))
        return rows

    def features(
        self, photographs: Sequence[Photograph], scales: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """What the heads see of each photograph (n, f) float32, standardised, side by side.

        Raises `Unusable` for one that cannot be used.
        """
        known = scales if scales is not None else [None] * len(photographs)
        given = list(zip(photographs, known, strict=True))
        found = []
        for start in range(0, len(given), AT_ONCE):
            seen = map_threads(lambda item: self._seen(*item), given[start : start + AT_ONCE])
            for one in seen:
                if isinstance(one, Unusable):
                    raise one
            pixels, features = (np.array(column) for column in zip(*seen, strict=True))
            measured = features if self._measures else None
            found.append(self._standardised([scorer.features(pixels, measured) for scorer in self._scorers]))
        return np.concatenate(found)

    def why(self, photograph: Photograph, scale: float | None = None) -> Image.Image | Unusable:
        """The photograph as the networks see it, red where it pulls the score down, blue where up."""
        seen = self._seen(photograph, scale)
        if isinstance(seen, Unusable):
            return seen
        pixels, features = seen

        def score(covered: np.ndarray) -> np.ndarray:
            measured = np.tile(features, (len(covered), 1)) if self._measures else None
            each = [scorer.score(scorer.features(covered, measured, keep=False)) for scorer in self._scorers]
            return combine(np.stack(each), self.spec.method, list(self.spec.weights.values()))

        return occlusion.picture(pixels, occlusion.effects(pixels, score))

    def _standardised(self, given: list[np.ndarray]) -> np.ndarray:
        """Side by side, each as its head sees it, what the members' `features` gave."""
        alike = [scorer.standardised(rows) for scorer, rows in zip(self._scorers, given, strict=True)]
        return np.hstack(alike)

    def _seen(self, photograph: Photograph, scale: float | None) -> tuple[np.ndarray, list[float]] | Unusable:
        """What the networks see, and what is measured if that is needed; or why it cannot be used."""
        spec = self.spec
        scale = spec.mm_per_pixel if scale is None else scale
        try:
            image = _image(photograph, spec.min_side, spec.max_megapixels)
            pixels = prepared(image, spec.size, scale, spec.target_mm_per_pixel)
            return pixels, self._measured(image, scale) if self._measures else []
        except Unusable as reason:
            return reason

    def _measured(self, image: Image.Image, scale: float | None) -> list[float]:
        """`FEATURES`, in the unit of the training photographs'."""
        if self.spec.millimetres and scale is None:
            raise Unusable(
                "its scale is unknown, but grains were learnt in millimetres; "
                "give mm_per_pixel in labels.csv, or scale.photographs"
            )
        features = measure(image, scale if self.spec.millimetres else None)
        return [features[name] for name in FEATURES]

    def _graded(self, seen: list[tuple[np.ndarray, list[float]]], keep: bool) -> list[Row]:
        if not seen:
            return []
        pixels, features = (np.array(column) for column in zip(*seen, strict=True))
        measured = features if self._measures else None
        spec, names = self.spec, self.spec.grades
        given = [scorer.features(pixels, measured, keep) for scorer in self._scorers]
        each = np.stack([scorer.score(rows) for scorer, rows in zip(self._scorers, given, strict=True)])
        scores = combine(each, spec.method, list(spec.weights.values()))
        grades = to_grades(scores, spec.thresholds)
        if spec.correction is not None:
            grades = correction.apply(spec.correction, scores, grades, features)
        distances, nearest = self._training.nearest(self._standardised(given))
        faults = [quality.fault(photograph, spec.doubt.sharpness) for photograph in pixels]
        known = Seen(scores, each, distances, nearest, faults)
        doubted = told(spec.doubt, known, grades, spec.thresholds, spec.rating)
        return [
            Row(
                score=float(score),
                position=int(grade),
                name=names[grade - 1],
                low=names[doubt.low - 1],
                high=names[doubt.high - 1],
                look=doubt.look,
                nearest=doubt.nearest,
                distance=doubt.distance,
                reason=None,
            )
            for score, grade, doubt in zip(
                spec.rating.shown(scores), grades, doubted.itertuples(), strict=True
            )
        ]


def _image(photograph: Photograph, min_side: int, max_megapixels: float) -> Image.Image:
    if isinstance(photograph, np.ndarray):
        if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[2] != 3:
            raise Unusable(
                f"an array {photograph.shape} of {photograph.dtype}; it must be (height, width, 3) uint8"
            )
        image = Image.fromarray(photograph)
        check_size(image, min_side, max_megapixels)
        return image
    if isinstance(photograph, Path):
        check_name(photograph)
    return decode(photograph, min_side=min_side, max_megapixels=max_megapixels)
