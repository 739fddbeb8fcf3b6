"""The model of the checked-out result in MLflow's registry: `sabi register`."""

import hashlib
import tempfile
from importlib.metadata import version
from pathlib import Path

import jinja2
import pandas as pd

from sabi.evaluation.metrics import HEADLINE
from sabi.grading.card import Card, card_of
from sabi.grading.export import export
from sabi.grading.model import ModelSpec
from sabi.photographs.drawings import draw_ungraded
from sabi.review.lock import out_of_step
from sabi.runtime.errors import InputError
from sabi.runtime.repository import git
from sabi.tracking.store import open_store

NAME = "sabi"
CODE = Path(__file__).parents[1]  # the package, which is logged with the model
MODEL_CARD = Path(__file__).with_name("model_card.md.j2")
REQUIRED = (
    "keras",
    "mlflow",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "scikit-image",
    "scipy",
    "tensorflow",
    "tqdm",
)


def register(model: Path, alias: str | None) -> str:
    """Log `data/model` as a version of the registered model `sabi`; its address, `models:/sabi/3`.

    An `alias` ("champion") then means this version. Raises `InputError` if the result is not
    that of a commit: files are changed, or `dvc.lock` does not belong to them.
    """
    if changed := git("status", "--porcelain").splitlines():
        raise InputError(
            f"{changed[0][3:]} is not committed ({len(changed)} files); a version is of a commit"
        )
    if lines := out_of_step():
        raise InputError(f"dvc.lock is out of step ({lines[0]}); run `dvc repro`, commit, then register")
    card = card_of(model)
    if card is None:
        raise InputError(
            f"{model}: is not this repository's data/model, so nothing tells what it was judged by"
        )
    client, experiments = open_store()
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    mlflow.set_tracking_uri(client.tracking_uri)
    inputs = Schema([ColSpec("binary", "photograph"), ColSpec("double", "mm_per_pixel", required=False)])
    texts = [ColSpec("string", name) for name in ("low", "high", "look", "reason")]
    outputs = Schema([ColSpec("string", "grade"), ColSpec("double", "score"), *texts])
    with (
        tempfile.TemporaryDirectory(prefix="sabi-register-") as folder,
        mlflow.start_run(experiment_id=experiments[0], run_name="register"),
    ):
        export(model, Path(folder) / "model")
        mlflow.set_tags(tags_of(card))
        mlflow.log_metrics({name: value for name in HEADLINE if (value := card.metrics[name][0]) is not None})
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"model": str(Path(folder) / "model")},
            signature=ModelSignature(inputs, outputs),
            input_example=example(Path(folder) / "example"),
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIRED],
            code_paths=[str(CODE)],
        )
    added = mlflow.register_model(logged.model_uri, NAME, tags=tags_of(card))
    client.update_model_version(NAME, added.version, description=description(card, ModelSpec.read(model)))
    if alias is not None:
        client.set_registered_model_alias(NAME, alias, added.version)
    return f"models:/{NAME}/{added.version}"


def fetch(uri: str) -> Path:
    """The folder of a registered model, `models:/sabi@champion` or `models:/sabi/3`.

    Raises `InputError` for one that is not in MLflow's registry.
    """
    client, _ = open_store()
    import mlflow

    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)) / "artifacts/model"
    except mlflow.exceptions.MlflowException as error:
        raise InputError(
            f"{uri}: {' '.join(str(error).split())[:200]}; `sabi register` adds models"
        ) from None


def tags_of(card: Card) -> dict[str, str]:
    """Where a version comes from, and its figures with their intervals."""
    lock = hashlib.sha256(Path("dvc.lock").read_bytes()).hexdigest()
    tags = {"git.commit": card.commit, "dvc.lock.sha256": lock, "photographs": str(card.photographs)}
    tags["drawings"] = str(card.drawings)
    for name in HEADLINE:
        value, low, high = card.metrics[name]
        if value is not None:
            tags[name] = f"{value:.3f} ({low:.3f} to {high:.3f})"
    return tags


def description(card: Card, spec: ModelSpec) -> str:
    """The model card: what it learnt from, what it is meant for and what not, its figures, its limits."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = MODEL_CARD.read_text(encoding="utf-8")
    return environment.from_string(text).render(card=card, spec=spec)


def example(folder: Path) -> pd.DataFrame:
    """A drawing, as the model takes photographs."""
    draw_ungraded(folder, count=1)
    [file] = folder.iterdir()
    return pd.DataFrame({"photograph": [file.read_bytes()]})
