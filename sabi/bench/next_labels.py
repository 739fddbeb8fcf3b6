"""What labels teach that `sabi next` chooses, beside labels by chance: `sabi next N --measure DIR`.

Of graded photographs some by chance have their grade at first; then, step by step,
more are given theirs, chosen or by chance. After each step heads learn from what is
graded, and grade photographs that were never to choose from. Starts by chance are
several. The page is docs/results/next-labels.md.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from sabi.backbones.embedder import Embedder
from sabi.backbones.spec import BackboneSpec
from sabi.bench.pages import renew
from sabi.bench.photographs import stretched
from sabi.grading import conformal
from sabi.grading.active_learning import choose
from sabi.grading.novelty import Neighbours
from sabi.grading.thresholds import middles, to_grades
from sabi.photographs.manifest import split
from sabi.report.figures import label_curves
from sabi.runtime.errors import InputError
from sabi.settings.params import Params
from sabi.training.frozen import head_spec
from sabi.training.parts import Fitted
from sabi.training.ridge import Examples, fit_ridge

PAGE, FIGURE = Path("docs/results/next-labels.md"), Path("docs/results/next-labels.png")
FIRST, STEP, SEEDS = 25, 50, 5
WAYS = ("chosen", "by chance")


@dataclass(frozen=True)
class Known:
    """Photographs with what the networks see in them."""

    title: str
    table: pd.DataFrame  # of the manifest
    embeddings: dict[str, np.ndarray]  # by network (n, features) float32
    channels: dict[str, list[int]]

    @property
    def pool(self) -> np.ndarray:
        """The rows to choose from; all others are graded."""
        return np.flatnonzero(self.table.partition == "train")


def measure_all(
    folders: list[Path], most: int, params: Params, page: Path = PAGE, figure: Path = FIGURE
) -> None:
    """Measure accuracy with up to `most` labels of the photographs in `folders`; write page and figure.

    Raises `InputError` for a folder with fewer photographs to choose from, and for fewer labels than a step.
    """
    curves = {}
    for folder in folders:
        known = seen(folder, most, params)
        curves[known.title] = pd.concat(
            [accuracies(known, most, params, seed) for seed in tqdm(range(SEEDS), desc=known.title)]
        )
    figure.write_bytes(label_curves(curves))
    lines = ["| photographs | labels | chosen | by chance |", "|---|---|---|---|"]
    for title, table in curves.items():
        for labels, after in table.groupby("labels"):
            each = after.groupby("way").accuracy.agg(["mean", "min", "max"]).loc[[*WAYS]]
            cells = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in each.to_numpy()]
            lines.append(f"| {' | '.join([title, str(labels), *cells])} |")
    renew(page, "next", "\n".join(lines) + "\n")


def seen(folder: Path, most: int, params: Params) -> Known:
    """The usable photographs in a folder, and their embeddings by the ensemble's members."""
    manifest, _, _, summary = split(folder, params)
    pool = int((manifest.partition == "train").sum())
    if not STEP <= most <= pool:
        raise InputError(
            f"{folder}: {most} labels of {pool} photographs to choose from; at least {STEP} are measured, "
            "and at most as many as there are"
        )
    title = f"{folder.name}: {len(manifest)} {'drawings' if summary['drawings'] else 'photographs'}"
    size, files = params.augment.size, [folder / path for path in manifest.path]
    pixels = np.stack([one.pixels for one in stretched(files, params, size)])
    embed = {name: Embedder(BackboneSpec.of(name, params.train, size)) for name in params.ensemble.members}
    embeddings = {name: one(pixels, f"{name}: embed") for name, one in embed.items()}
    return Known(title, manifest, embeddings, {name: one.channels for name, one in embed.items()})


def accuracies(known: Known, most: int, params: Params, seed: int) -> pd.DataFrame:
    """Accuracy (columns labels, way, accuracy) after each step, both ways from the same start."""
    random = np.random.default_rng(seed)
    order = random.permutation(known.pool)
    rows = []
    for way in WAYS:
        graded = order[:FIRST]
        for labels in [*range(STEP, most, STEP), most]:
            left = order[~np.isin(order, graded)]
            count = labels - len(graded)
            more = left[:count] if way == "by chance" else left[chosen(known, graded, left, count, params)]
            graded = np.concatenate([graded, more])
            heads = fitted(known, graded, params)
            others = np.flatnonzero(known.table.partition != "train")
            grades = to_grades(scores(heads, known, others), middles(len(params.labels.grades)))
            rows.append((labels, way, float(np.mean(grades == known.table.grade.to_numpy()[others]))))
    return pd.DataFrame(rows, columns=["labels", "way", "accuracy"])


def fitted(known: Known, graded: np.ndarray, params: Params) -> dict[str, Fitted]:
    """A head for each network, from the rows `graded`."""
    truth, specimens = known.table.grade.to_numpy(float)[graded], known.table.specimen.to_numpy()[graded]
    heads = {}
    for name, rows in known.embeddings.items():
        ones = np.ones(len(graded))
        examples = Examples(rows[graded], truth, ones, specimens, ones.astype(bool))
        spec = head_spec(name, rows.shape[1], params)
        held = examples.embeddings, truth  # only measured, nothing is chosen by it
        heads[name] = fit_ridge(examples, held, known.channels[name], spec, params.train, lambda *_: None)
    return heads


def scores(heads: dict[str, Fitted], known: Known, rows: np.ndarray) -> np.ndarray:
    """The heads' mean score (n,) of some rows."""
    each = [one.head.predict(known.embeddings[name][rows]) for name, one in heads.items()]
    return np.mean(each, axis=0)


def chosen(known: Known, graded: np.ndarray, left: np.ndarray, count: int, params: Params) -> list[int]:
    """The places in `left` that `sabi next` would choose with what is `graded`.

    Limits of sets come from the cross-validation's scores, since nothing else is graded.
    """
    heads, rating = fitted(known, graded, params), params.labels.rating
    unseen = np.mean([one.out_of_fold for one in heads.values() if one.out_of_fold is not None], axis=0)
    truth, specimens = known.table.grade.to_numpy()[graded], known.table.specimen.to_numpy()[graded]
    limits = conformal.limits(unseen, truth, specimens, rating, params.evaluate.confidence)
    found = scores(heads, known, left)
    low, high = conformal.sets(found, to_grades(found, middles(len(rating.names))), limits)

    def features(rows: np.ndarray) -> np.ndarray:
        return np.hstack([one.head.standardised(known.embeddings[name][rows]) for name, one in heads.items()])

    distances, _ = Neighbours([str(row) for row in graded], features(graded)).nearest(features(left))
    return choose(features(left), (high - low + 1).astype(float), distances, count)
