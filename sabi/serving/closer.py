"""A closer look at graded photographs: what pulls a score down (`--why`), and where (`--tiles`)."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image
from tqdm import tqdm

from sabi.grading.grader import Grader
from sabi.photographs.files import Unusable
from sabi.report.pictures import base64_of, small
from sabi.serving.tables import write_csv
from sabi.serving.tiles import tile

SHOWN = 480  # pixels of a picture's longer side on the page


@dataclass(frozen=True)
class Look:
    """What is asked for."""

    why: bool = False
    tiles: bool = False
    window: int | None = None  # pixels of a tile's side; None: what the model was trained on


# By a photograph's place in the table: pictures for the page (base64 of a JPEG), shares of the area by
# grade, and why there is no map.
Closer = dict[str, str | dict[str, float]]


def look_closer(
    grader: Grader, graded: pd.DataFrame, scales: dict[Path, float | None], look: Look, out: Path
) -> list[Closer]:
    """What is seen of each row of `graded`, in order; pictures lie in the folders `why` and `tiles` of `out`.

    They are numbered by their photograph's place in the table. Shares and worst windows of
    the tiles stand in `tiles.csv`.
    """
    seen: list[Closer] = [{} for _ in range(len(graded))]
    if look.why:
        for place, file in enumerate(tqdm(graded.file, desc="why", unit="photo")):
            found = grader.why(file, scales[file])
            if not isinstance(found, Unusable):  # it was graded, so only if it has changed meanwhile
                seen[place]["why"] = _kept(found, out / "why", place)
    if look.tiles:
        rows = []
        for place, (path, file) in enumerate(
            zip(graded.path, tqdm(graded.file, desc="tiles", unit="photo"), strict=True)
        ):
            tiled = tile(grader, file, scales[file], look.window)
            if isinstance(tiled, Unusable):
                seen[place]["no_map"] = str(tiled)
                continue
            seen[place] |= {"map": _kept(tiled.map, out / "tiles", place), "shares": tiled.shares}
            left, top, right, _ = tiled.worst
            shares = {f"share_{name}": share for name, share in tiled.shares.items()}
            score = float(grader.spec.rating.shown([tiled.scores.min()])[0])
            worst = {"worst_score": score, "worst_left": left, "worst_top": top, "window": right - left}
            rows.append({"path": path} | shares | worst)
        if rows:
            write_csv(pd.DataFrame(rows), out / "tiles.csv")
    return seen


def _kept(image: Image.Image, folder: Path, place: int) -> str:
    """Write the picture, whole; a small one for the page."""
    folder.mkdir(parents=True, exist_ok=True)
    image.save(folder / f"{place + 1:04}.jpg", quality=90)
    return base64_of(small(image, SHOWN))
