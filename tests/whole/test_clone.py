"""A clone has the bytes of the commit, whatever git's settings are."""

import filecmp

from tests.conftest import commit, copy_project, shell


def test_a_clone_has_the_same_bytes_whatever_git_does_with_line_ends(tmp_path):
    project = copy_project(tmp_path / "project")
    commit(project, "all")
    shell("git clone -q -c core.autocrlf=true project clone", tmp_path)
    clone = tmp_path / "clone"
    assert shell("git status --porcelain", clone) == ""
    files = shell("git ls-files", clone).splitlines()
    _, different, missing = filecmp.cmpfiles(project, clone, files, shallow=False)
    assert (different, missing) == ([], [])
