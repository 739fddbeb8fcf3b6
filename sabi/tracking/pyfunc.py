"""The model as MLflow runs it, a file that is logged with it ("models from code", no pickle).

Takes a data frame with the bytes of a photograph's file in each row of `photograph` and,
if it is known, `mm_per_pixel`; gives grade, score, low and high (the grades that it may be), look
(`sabi.grading.doubt.REASONS` to look at it) and reason (why there is no grade).
"""

from pathlib import Path
from typing import Any

import mlflow.models
import pandas as pd
from mlflow.pyfunc import PythonModel

from sabi.runtime.determinism import pin_environment
from sabi.serving.loading import load

FOLDER = "model"  # the artifact


class GradingModel(PythonModel):
    """A `Grader` of the folder that was logged."""

    def load_context(self, context: Any) -> None:
        # Before TensorFlow loads. NumPy runs already as MLflow has started it: where the processor has
        # more than AVX2, its last bits are the pipeline's if these variables were set before.
        pin_environment()
        # What others send is graded, and nothing of it kept.
        self._grader = load(Path(context.artifacts[FOLDER]), keep_readings=False)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        known = model_input.get("mm_per_pixel", pd.Series(None, model_input.index, dtype=float))
        scales = [None if pd.isna(scale) else float(scale) for scale in known]
        rows = self._grader.grade([bytes(content) for content in model_input.photograph], scales, keep=False)
        return pd.DataFrame(
            {
                "grade": [row.name or "" for row in rows],
                "score": pd.Series([row.score for row in rows], dtype=float),
                "low": [row.low or "" for row in rows],
                "high": [row.high or "" for row in rows],
                "look": [row.look or "" for row in rows],
                "reason": [row.reason or "" for row in rows],
            }
        )


mlflow.models.set_model(GradingModel())
