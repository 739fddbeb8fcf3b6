"""What tells a training from every other one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sabi.backbones.spec import BackboneSpec
from sabi.runtime.fingerprint import fingerprint, sha256_of
from sabi.settings.params import Params
from sabi.settings.reading import read_yaml


def training_key(backbone: BackboneSpec, params: Params, inputs: Iterable[Path]) -> str:
    """SHA-256 of the parameters, code, libraries and bytes of `inputs` that decide a training.

    The code is what `dvc.yaml`, in the folder that the stage runs in, lists for trainings.
    """
    decisive: dict[str, Any] = {
        "backbone": backbone.model_dump(),
        "train": params.train.model_dump(),
        "augment": params.augment.model_dump(),
        "grades": params.labels.grades,
        "sound": params.labels.sound,
    }
    for file in sorted(inputs):
        decisive[file.name] = sha256_of(file)
    stages = read_yaml(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    deps = stages["train"]["do"]["deps"]
    return fingerprint(decisive, [dep for dep in deps if dep.startswith(("sabi/", "stages/"))])
