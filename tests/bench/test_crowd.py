"""Many photographs through one process: all are graded, and what it needed is a line."""

from dataclasses import replace

import pytest

from sabi.bench.crowd import measure
from sabi.bench.laboratory import QUICK
from sabi.runtime.errors import InputError


@pytest.mark.slow
def test_every_name_is_graded_and_measured(tiny, tmp_path):
    part = measure(tiny, tmp_path, replace(QUICK, width=400), (12, 24))
    assert [point["photographs"] for point in part["points"]] == [12, 24]
    assert [len(list((tmp_path / f"names{count}").iterdir())) for count in (12, 24)] == [12, 24]
    assert (part["megapixels"], part["side"], len(part["networks"])) == (0.12, 32, 3)
    fitted = [part["peak_mib"]["start"] + part["peak_mib"]["slope"] * count for count in (12, 24)]
    assert fitted == pytest.approx([point["peak_mib"] for point in part["points"]])
    for count in (12, 24):
        assert (tmp_path / f"graded{count}/grades.parquet").exists()


def test_a_repository_without_a_model_is_told(tmp_path):
    with pytest.raises(InputError, match="no model to grade with"):
        measure(tmp_path, tmp_path / "work", QUICK, (12,))
