"""The benchmark of a laboratory's size: photographs of 12 megapixels, and what is done to them every week.

Beside the wiki's method and a careful engineer's script. The wiki's would take hours: it is run
on few photographs and epochs, its seconds are a straight line of both, and a further run
tells how well the line holds.
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from sabi.bench.clones import (
    RAW,
    REPRO,
    SABI,
    UNLABELLED,
    architecture,
    change,
    changed,
    cloned,
    equal_work,
    files,
    members_of,
    run,
)
from sabi.bench.scripts import job_of, script
from sabi.networks import STANDARD
from sabi.photographs.drawings import SEED, draw_graded, draw_ungraded
from sabi.tables import MANIFEST, read_json, read_table

# By key: what is done, and how many times faster than either script it ought to be, the wiki's first.
CASES = {
    "nothing": ("everything from nothing", 12, 1),
    "loss": ("another loss, three networks", 60, 5),
    "members": ("another set of members", 200, 15),
    "photographs": ("5 % more photographs", 40, 4),
    "grading": ("grading new photographs in the pipeline", 4, 1),
    "grade": ("grading new photographs by `sabi grade`", 4, 1),
}
QUALITY = 90  # of the JPEG files
GRAIN = 6.0  # standard deviation of their noise, grey values: without it a file is smaller than a camera's


@dataclass(frozen=True)
class Survey:
    """How much is measured."""

    specimens: int  # a grade
    photographs: int  # a specimen
    width: int  # pixels, of 4 : 3
    side: int  # pixels, that networks see
    epochs: int
    added: tuple[int, ...]  # photographs, one after the other; the first is the case's
    graded: int  # photographs
    few: tuple[int, int]  # photographs that the wiki's method is run on
    networks: tuple[str, ...] = STANDARD


FULL = Survey(40, 5, 4000, 224, 30, (50, 10, 250), 500, (60, 120))
QUICK = Survey(15, 1, 400, 64, 2, (5, 5), 10, (6, 12))


def measure(root: Path, folder: Path, survey: Survey) -> dict[str, Any]:
    """Seconds of each of `CASES`: ours, the wiki's and the careful script's; and of adding photographs."""
    drawn = folder / "photographs"
    photograph(drawn / "raw", survey, survey.specimens, survey.photographs)
    more = sum(survey.added)
    photograph(drawn / "more", survey, -(-more // 5), 1, seed=SEED + 1)
    photograph(drawn / "new", survey, None, survey.graded)
    photograph(drawn / "others", survey, None, survey.graded, seed=SEED + 3)  # that nothing has read before

    clone = cloned(root, folder / "clone")
    linked(drawn / "raw", clone / RAW)
    linked(drawn / "new", clone / UNLABELLED, files(drawn / "new")[:10])
    change(clone, equal_work(survey.side, survey.epochs))
    ours = {"nothing": run(REPRO, clone)}
    peak = ours["nothing"]["peak_mib"]
    job = job_of(
        clone, drawn / "raw", files(drawn / "new")[:10], survey.networks, (survey.side, survey.epochs)
    )
    ours |= changed(clone, survey.networks)
    found, added = files(drawn / "more"), []
    # Evenly over the grades, and specimens of their own.
    found = [found[place] for place in np.random.default_rng(0).permutation(len(found))]
    for count in survey.added:
        chosen, found = found[:count], found[count:]
        for file in chosen:
            os.link(file, clone / RAW / Path(file).name.replace("specimen", "specimen9"))
        added.append({"photographs": count} | run(REPRO, clone))
    ours["photographs"] = added[0]
    linked(drawn / "new", clone / UNLABELLED / "new")
    ours["grading"] = run(REPRO, clone)
    ours["grade"] = run([*SABI, "grade", str(drawn / "others"), "--out", str(folder / "graded")], clone)
    unchanged = run(REPRO, clone)

    its = {"models": str(folder / "careful-models")}
    careful = script("careful_method", job | its, folder / "careful")
    spent = read_json(folder / "careful/seconds.json")
    others = [architecture(name) for name in survey.networks if name not in members_of(survey.networks)]
    whole = careful["seconds"]
    left_out = sum(spent[network] for network in others)
    new = {"train": [], "validation": [], "grade": files(drawn / "new")}
    grading = script("careful_method", job | its | new, folder / "careful-graded")["seconds"]
    theirs = dict.fromkeys(CASES, whole) | {"members": whole - left_out, "grading": grading, "grade": grading}
    wiki = wikis(job | {"models": str(folder / "wiki-models")}, new, folder, survey, others)
    return {
        "cases": {
            key: {
                "title": title,
                "ours_seconds": ours[key]["seconds"],
                "wiki_seconds": round(wiki["seconds"][key], 1),
                "careful_seconds": round(theirs[key], 1),
                "wiki_ratio": round(wiki["seconds"][key] / ours[key]["seconds"], 1),
                "careful_ratio": round(theirs[key] / ours[key]["seconds"], 2),
                "wished": [wiki_wished, careful_wished],
            }
            for key, (title, wiki_wished, careful_wished) in CASES.items()
        },
        "photographs": len(read_table(clone / MANIFEST)) - more,
        "added": added,
        "unchanged_seconds": unchanged["seconds"],
        "ours_peak_mib": peak,
        "careful_peak_mib": careful["peak_mib"],
        "wiki": wiki,
    }


def wikis(
    job: dict[str, Any], new: dict[str, Any], folder: Path, survey: Survey, others: Sequence[str]
) -> dict[str, Any]:
    """The wiki's seconds by case, from runs on few photographs, and how well a straight line holds.

    A run takes a start, something for each photograph read, each trained on in each epoch, and each graded.
    `others` are the networks that a smaller set of members leaves out.
    """
    small, large = survey.few

    def trained(name: str, photographs: int, epochs: int) -> tuple[float, dict[str, float]]:
        few = {part: job[part][:photographs] for part in ("train", "validation")} | {
            "grade": [],
            "epochs": epochs,
        }
        shutil.rmtree(job["models"], ignore_errors=True)
        seconds = script("wiki_method", job | few, folder / name)["seconds"]
        return seconds, read_json(folder / f"{name}/seconds.json")

    # Of as many photographs for validation as for training: forward passes of both in every epoch.
    counts = min(small, len(job["validation"])), min(large, len(job["validation"]))
    (one, _), (three, each), (more, _), (check, _) = (
        trained("wiki1", small, 1),
        trained("wiki2", small, 3),
        trained("wiki3", large, 1),
        trained("wiki4", large, 3),
    )
    an_epoch = (three - one) / 2 / (small + counts[0])
    a_photograph = (more - one) / (large + counts[1] - small - counts[0]) - an_epoch
    start = one - (small + counts[0]) * (a_photograph + an_epoch)
    foreseen = start + (large + counts[1]) * (a_photograph + 3 * an_epoch)
    graded = []
    for count in survey.few:
        few = new | {"grade": new["grade"][:count]}
        graded.append(script("wiki_method", job | few, folder / f"wiki-graded{count}")["seconds"])
    a_grade = (graded[1] - graded[0]) / (large - small)
    load = graded[0] - small * a_grade
    both = len(job["train"]) + len(job["validation"])
    whole = start + both * (a_photograph + survey.epochs * an_epoch) + load + len(job["grade"]) * a_grade
    share = sum(each[network] for network in others) / sum(each.values())
    grading = load + len(new["grade"]) * a_grade
    return {
        "seconds": dict.fromkeys(CASES, whole)
        | {"members": whole * (1 - share), "grading": grading, "grade": grading},
        "photographs": list(survey.few),
        "epochs": [1, 3],
        "foreseen_seconds": round(foreseen, 1),
        "check_seconds": round(check, 1),
    }


def photograph(folder: Path, survey: Survey, specimens: int | None, count: int, seed: int = SEED) -> None:
    """Drawings as large as a camera's photographs, the same bytes every time: graded ones of `specimens` a
    grade and `count` a specimen, or `count` without a grade.
    """
    small = folder.with_name(f"{folder.name}-small")
    if specimens is None:
        draw_ungraded(small, count=count, seed=seed + 2)
    else:
        draw_graded(small, specimens=specimens, photographs=count, seed=seed)
    folder.mkdir(parents=True)
    grain = np.random.default_rng(seed).normal(0, GRAIN, (512, 512, 1))
    size = survey.width, survey.width * 3 // 4
    tiles = np.tile(grain, (-(-size[1] // 512), -(-size[0] // 512), 1))[: size[1], : size[0]].astype(np.int16)

    def enlarge(file: Path) -> None:
        with Image.open(file) as drawing:
            pixels = np.asarray(drawing.resize(size, Image.Resampling.BICUBIC)).astype(np.int16) + tiles
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / file.name, quality=QUALITY)

    drawings = sorted(small.iterdir())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(tqdm(pool.map(enlarge, drawings), total=len(drawings), desc=f"photograph {folder.name}"))
    shutil.rmtree(small)


def linked(folder: Path, place: Path, chosen: Sequence[str] | None = None) -> None:
    """The files of a folder, or those `chosen`, in another place: gigabytes are not copied."""
    place.mkdir(parents=True, exist_ok=True)
    for file in chosen or files(folder):
        os.link(file, place / Path(file).name)
