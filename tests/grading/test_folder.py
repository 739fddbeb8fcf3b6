"""A folder of photographs, graded."""

import pytest
from PIL import Image

from sabi.grading.folder import strangers
from sabi.photographs.decoding import DRAWING_MARK


@pytest.mark.parametrize(
    ("learnt_from", "graded", "said"),
    [
        (300, ["drawing01.jpg"], None),
        (0, ["own.png"], None),
        (0, ["drawing01.jpg", "own.png"], "1 of the 2 pictures graded in data/unlabelled are drawings of"),
        (300, ["drawing01.jpg", "own.png"], "1 of the 2 pictures graded in data/unlabelled are no drawings"),
        (300, [], None),
    ],
)
def test_drawings_among_photographs_and_the_other_way_round_are_told(tmp_path, learnt_from, graded, said):
    for name in graded:
        mark = {"comment": DRAWING_MARK} if name.startswith("drawing") else {}
        Image.new("RGB", (200, 150), (120, 60, 30)).save(tmp_path / name, **mark)
    notes = strangers([tmp_path / name for name in graded], {"drawings": learnt_from})
    assert len(notes) == (said is not None)
    assert said is None or notes[0].startswith(said)
