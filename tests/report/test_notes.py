"""What a run leaves out is told at its end."""

from sabi.report.notes import what_was_left_out


def test_files_of_both_folders_that_were_not_used_are_told_with_the_table_that_says_why():
    assert what_was_left_out(0, 0) == []
    assert what_was_left_out(2, 0) == ["2 files of data/raw were not used; data/split/rejected.csv says why"]
    assert what_was_left_out(2, 1)[1:] == [
        "1 files of data/unlabelled were not graded; data/grades/unlabelled_rejected.csv says why"
    ]
