"""A model of one small network, and drawings, for surveys."""

from pathlib import Path

import pytest

from sabi.photographs.drawings import draw_ungraded
from tests.grading.test_grader import folder  # noqa: F401


@pytest.fixture(scope="session")
def drawings(tmp_path_factory) -> Path:
    """A folder of 80 photographs that can be graded and one file that is none."""
    base = tmp_path_factory.mktemp("survey") / "drawings"
    draw_ungraded(base, count=80)
    (base / "notes.txt").write_text("not a photograph")
    return base
