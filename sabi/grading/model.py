"""All that grading needs, in one folder: `data/model`, which the stage `binning` writes.

model.json          what `ModelSpec` says
training.npz        the training photographs' features, which tell an unlike photograph
<network>/          a folder for each member of the ensemble, as `sabi/models/member.py` reads it
SHA256SUMS          the checksum of each of these files; `sha256sum -c SHA256SUMS` checks them, too
"""

import re
import shutil
from pathlib import Path

from sabi.grades import Grades
from sabi.grading.correction import Rule
from sabi.grading.doubt import Doubt
from sabi.grading.ensembling import Ensemble
from sabi.grading.novelty import Neighbours
from sabi.models.member import BACKBONE, HEAD
from sabi.models.member import SPEC as MEMBER
from sabi.runtime.errors import InputError
from sabi.runtime.fingerprint import sha256_of
from sabi.runtime.outputs import way_out
from sabi.settings.ensemble import Method
from sabi.settings.params import Params
from sabi.settings.section import Section
from sabi.tables import read_spec, write_spec

SPEC = "model.json"
TRAINING = "training.npz"
SUMS = "SHA256SUMS"


class ModelSpec(Section):
    """How photographs were prepared when the model was trained, and how scores become grades."""

    grades: list[str]  # names, worst first
    worst_sound: int  # number, from 1, of the worst grade that is still sound
    size: int  # side of the square that the networks see, pixels
    target_mm_per_pixel: float | None  # of that square; None: photographs are stretched to it
    mm_per_pixel: float | None  # of photographs whose own scale is not known
    min_side: int  # pixels; smaller photographs are refused
    max_megapixels: float
    millimetres: bool  # whether grains were measured in millimetres
    method: Method  # of combining the members' scores
    weights: dict[str, float]  # of the members, by network
    thresholds: list[float]
    correction: Rule | None
    doubt: Doubt
    specimen: str  # pattern of names: its group is the piece of steel
    bridge: str | None  # the same of bridges

    @property
    def rating(self) -> Grades:
        """The grades and where soundness begins."""
        return Grades(tuple(self.grades), self.worst_sound)

    @classmethod
    def of(
        cls,
        params: Params,
        millimetres: bool,
        ensemble: Ensemble,
        thresholds: list[float],
        rule: Rule | None,
        doubt: Doubt,
    ) -> "ModelSpec":
        """The model that these parameters have come to."""
        return cls(
            grades=params.labels.grades,
            worst_sound=params.labels.rating.worst_sound,
            size=params.augment.size,
            target_mm_per_pixel=params.scale.target,
            mm_per_pixel=params.scale.photographs,
            min_side=params.split.min_side,
            max_megapixels=params.split.max_megapixels,
            millimetres=millimetres,
            method=ensemble.method,
            weights=ensemble.weights,
            thresholds=thresholds,
            correction=rule,
            doubt=doubt,
            specimen=params.split.specimen,
            bridge=params.report.bridge,
        )

    @classmethod
    def read(cls, folder: Path) -> "ModelSpec":
        """What a model's folder says; raises `InputError` if it is none."""
        return read_spec(cls, folder / SPEC, "not a model of sabi's; `dvc repro` makes data/model")


def save(folder: Path, spec: ModelSpec, networks: Path, training: Neighbours) -> None:
    """Write a model whose members are folders of `networks`; what was in `folder` is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    for member in spec.weights:
        (folder / member).mkdir(parents=True)
        for name in (MEMBER, HEAD):
            shutil.copyfile(networks / member / name, folder / member / name)
        if (networks / member / BACKBONE).exists():  # only of a backbone that was trained
            shutil.copyfile(networks / member / BACKBONE, folder / member / BACKBONE)
    write_spec(spec, folder / SPEC)
    training.save(folder / TRAINING)
    write_sums(folder)


def write_sums(folder: Path) -> None:
    """Write the checksums of all files of a model."""
    sums = "".join(f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in _parts(folder))
    (folder / SUMS).write_text(sums, encoding="utf-8")


def identity(folder: Path) -> str:
    """What tells a model from every other: SHA-256 of its list of checksums."""
    return sha256_of(folder / SUMS)


def check(folder: Path) -> None:
    """Raise `InputError` unless every file of a model is, byte for byte, the one that `save` wrote."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name that of a model (`dvc repro` makes data/model)")
    try:
        lines = (folder / SUMS).read_bytes().decode().split("\n")  # `splitlines` takes more for an end
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{folder / SUMS}: no list of a model's checksums; {way_out(folder)}") from None
    named = dict(line.split("  ", 1)[::-1] for line in lines if re.fullmatch("[0-9a-f]{64}  .+", line))
    for name in sorted(named.keys() | {file.relative_to(folder).as_posix() for file in _parts(folder)}):
        file = folder / name
        if name not in named:
            raise InputError(
                f"{file}: {SUMS} does not name it; "
                f"remove it if it came from elsewhere, else {way_out(folder)}"
            )
        if not file.is_file():
            raise InputError(f"{file}: no such file, but {SUMS} names it; {way_out(folder)}")
        if sha256_of(file) != named[name]:
            raise InputError(f"{file}: damaged, its checksum is not that of {SUMS}; {way_out(folder)}")


def _parts(folder: Path) -> list[Path]:
    """The files that a model consists of, sorted."""
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != SUMS)
