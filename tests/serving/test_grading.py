"""Photographs in, a folder of tables and pages out: what `sabi grade` does."""

import json
import os
import shutil
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from sabi import cli
from sabi.grading.export import export
from sabi.grading.grader import Grader
from sabi.runtime.errors import InputError
from sabi.serving import batch
from sabi.serving.changes import changes
from sabi.serving.grading import grade_into
from sabi.words.texts import reasons, texts

pytestmark = pytest.mark.slow
ODD = "=<script>alert(1)<.jpg"


@pytest.fixture(scope="module")
def survey(folder, tmp_path_factory) -> Path:
    """Four drawings below a folder, one oddly named, and a file that is no photograph."""
    place = tmp_path_factory.mktemp("survey")
    shutil.copytree(folder / "photographs", place / "photographs/2026-11-25")
    raw = place / "photographs/2026-11-25"
    (raw / "drawing02.jpg").rename(raw / ODD)
    (raw / "notes.txt").write_text("no photograph")
    return place


@pytest.fixture
def here(survey, folder, monkeypatch, tmp_path) -> Path:
    """The working directory is the survey's; what is kept for other runs lies in a folder of the test."""
    monkeypatch.chdir(survey)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder / "model"


def read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, encoding="utf-8-sig", dtype=str, keep_default_na=False)


def test_every_file_is_graded_or_told_why_not(here, tmp_path):
    out = tmp_path / "out"
    made = grade_into(out, ["photographs"], here, sort=True)
    rows = Grader.load(here).grade(files := sorted(Path("photographs/2026-11-25").glob("*.jpg")))
    expected = {file.as_posix(): row for file, row in zip(files, rows, strict=True)}
    assert len(expected) == 4
    # To the last bit, and worst first.
    assert {row.path: row.score for row in made.graded.itertuples()} == {
        p: r.score for p, r in expected.items()
    }
    assert made.graded.position.is_monotonic_increasing and made.finished

    table = read(out / "grades.csv")
    assert list(table) == ["path", "specimen", "bridge", "date", "grade", "score", "low", "high", "look"]
    assert table.path.tolist() == made.graded.path.tolist()
    for row in table.itertuples():
        assert (row.grade, row.score) == (expected[row.path].name, f"{expected[row.path].score:.2f}")
        assert (row.low, row.high) == (expected[row.path].low, expected[row.path].high)
        assert row.look == reasons(expected[row.path].look, texts("en"))
        assert row.date == "2026-11-25"
        assert row.specimen == ("" if row.path.endswith(ODD) else row.path[-13:-4])
        assert (out / f"score{row.grade}" / Path(row.path).name).read_bytes() == Path(row.path).read_bytes()
    rejected = read(out / "rejected.csv")
    assert (
        rejected.path.tolist() == ["photographs/2026-11-25/notes.txt"]
        and "not a photograph" in rejected.reason[0]
    )
    assert not (out / batch.UNFINISHED).exists()


def test_the_workbook_holds_what_the_table_says(here, tmp_path):
    out = tmp_path / "out"
    made = grade_into(out, ["photographs"], here, language="ja")
    book = openpyxl.load_workbook(out / "grades.xlsx")
    assert book.sheetnames == ["写真一覧", "部位別", "モデル"]
    sheet = book["写真一覧"]
    assert sheet.freeze_panes == "A2" and sheet.auto_filter.ref == "B1:I5"
    cells = list(sheet.iter_rows(min_row=2, values_only=True))
    assert [row[1:4] for row in cells] == [
        (row.path, row.grade, pytest.approx(row.score)) for row in made.graded.itertuples()
    ]
    assert [row[6] for row in cells] == [reasons(row.look, texts("ja")) for row in made.graded.itertuples()]
    assert len(sheet._images) == 4  # openpyxl has no public list of them
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}  # no formula
    grades = {row[2].value: row[2].fill.fgColor.rgb for row in sheet.iter_rows(min_row=2)}
    assert len(set(grades.values())) == len(grades)  # a colour a grade


@pytest.mark.parametrize(("language", "said"), [("en", "not graded"), ("ja", "評価できなかった")])
def test_the_page_stands_alone_and_names_every_photograph(here, tmp_path, language, said):
    grade_into(tmp_path / "out", ["photographs"], here, language=language)
    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert f'<html lang="{language}">' in page and said in page
    assert page.count("data:image/jpeg;base64,") == 4
    assert "&lt;script&gt;alert(1)&lt;.jpg" in page and "<script>alert" not in page
    assert 'src="http' not in page and "href=" not in page


def test_what_the_survey_measured_stands_in_every_table(here, survey, tmp_path, monkeypatch):
    shutil.copytree(survey / "photographs/2026-11-25", place := tmp_path / "measured")
    rows = "file,thickness_um,remark\ndrawing01.jpg,312.25,wet\ndrawing03.jpg,-7,dry\n"
    rows += 'drawing04.jpg,"1,234",dry\n'
    (place / "labels.csv").write_text(rows, encoding="utf-8")
    made = grade_into(tmp_path / "out", [str(place)], here)
    assert made.notes == [
        "labels: the column thickness_um has cells that are no numbers, such as '1,234', which count as empty"
    ]
    assert list(made.rejected.path) == [f"{place}/notes.txt"]
    table = read(tmp_path / "out/grades.csv")
    known = {Path(row.path).name: row.thickness_um for row in table.itertuples()}
    assert known.pop("drawing01.jpg") == "312.25" and known.pop("drawing03.jpg") == "-7"
    assert {*known.values()} == {""} and "remark" not in table
    book = openpyxl.load_workbook(tmp_path / "out/grades.xlsx")
    cells = [row[-1] for row in book.worksheets[0].iter_rows(values_only=True)]
    assert cells[0] == "thickness_um" and sorted(filter(None, cells[1:])) == [-7, 312.25]
    medians = {row[0]: row[-1] for row in book.worksheets[1].iter_rows(values_only=True)}
    assert medians["specimen"] == "median thickness_um" and medians["drawing01"] == 312.25
    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert '<th scope="col">median thickness_um</th>' in page and "<td>312.2</td>" in page


def test_a_folder_that_is_there_stays_as_it_is(here, tmp_path):
    out = tmp_path / "out"
    grade_into(out, ["photographs"], here)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(InputError, match="is there already and stays as it is; choose another --out"):
        grade_into(out, ["photographs"], here)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def interrupted_after(calls: int, monkeypatch) -> list[int]:
    """Let grading be interrupted at its `calls`th batch of one; the sizes of batches graded are noted."""
    monkeypatch.setattr(batch, "AT_ONCE", 1)
    graded: list[int] = []
    real = Grader.grade

    def grade(self, photographs, *rest):
        if len(graded) == calls:
            raise KeyboardInterrupt
        graded.append(len(photographs))
        return real(self, photographs, *rest)

    monkeypatch.setattr(Grader, "grade", grade)
    return graded


def test_what_was_interrupted_keeps_what_was_graded_and_goes_on(here, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        interrupted_after(2, patch)
        made = grade_into(out, ["photographs"], here)
    assert not made.finished and len(made.graded) == 2
    assert len(read(out / "grades.csv")) == 2
    assert "2 of 5" in (out / "index.html").read_text(encoding="utf-8")
    with (out / batch.UNFINISHED).open("a") as record:
        record.write('["cut by a ki')

    with monkeypatch.context() as patch:
        again = interrupted_after(99, patch)
        assert grade_into(out, ["photographs"], here).finished
    assert again == [1, 1, 1]  # not the two again
    whole = tmp_path / "whole"
    grade_into(whole, ["photographs"], here)
    for name in ("grades.csv", "rejected.csv", "index.html"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_what_changed_meanwhile_is_graded_again_and_another_model_is_refused(
    here, folder, tmp_path, monkeypatch
):
    raw = shutil.copytree("photographs", tmp_path / "photographs")
    with monkeypatch.context() as patch:
        interrupted_after(3, patch)
        grade_into(tmp_path / "out", [str(raw)], here)
    first = sorted((raw / "2026-11-25").iterdir())[0]
    os.utime(first, ns=(1, 1))
    other = shutil.copytree(here, tmp_path / "other")
    (other / "SHA256SUMS").write_text("".join(reversed((here / "SHA256SUMS").read_text().splitlines(True))))
    with pytest.raises(InputError, match="begun with another model"):
        grade_into(tmp_path / "out", [str(raw)], other)
    with monkeypatch.context() as patch:
        again = interrupted_after(99, patch)
        grade_into(tmp_path / "out", [str(raw)], here)
    assert again == [1, 1, 1]


def test_an_exported_model_gives_the_same_bits_without_building_a_network(here, tmp_path, monkeypatch):
    export(here, tmp_path / "exported")
    plain = grade_into(tmp_path / "plain", ["photographs"], here).graded
    with monkeypatch.context() as patch:
        patch.setattr("sabi.backbones.embedder.build", None)
        away = grade_into(tmp_path / "away", ["photographs"], tmp_path / "exported").graded
    assert away.score.tolist() == plain.score.tolist()
    with pytest.raises(InputError, match="is there already"):
        export(here, tmp_path / "exported")
    forward = tmp_path / "exported/cnn1/forward.npz"
    content = bytearray(forward.read_bytes())
    content[len(content) // 2] ^= 1
    forward.write_bytes(content)
    with pytest.raises(InputError, match=r"forward\.npz: damaged"):
        grade_into(tmp_path / "damaged", ["photographs"], tmp_path / "exported")


def test_two_surveys_are_compared_by_specimen(here, tmp_path):
    for name in ("old", "new"):
        grade_into(tmp_path / name, ["photographs"], here)
    compared, notes = changes(tmp_path / "old", tmp_path / "new")
    assert len(compared) == 4 and (compared.change == 0).all() and notes == []
    table = read(tmp_path / "new/grades.csv")
    worst = json.loads((tmp_path / "new/survey.json").read_text())["grades"][0]
    better = table.grade[table.grade != worst].index[0]
    table.loc[better, "grade"] = worst
    table.loc[better, "score"] = "1.00"
    table = table.drop(index=next(i for i in table.index if i != better))
    table.to_csv(tmp_path / "new/grades.csv", index=False, encoding="utf-8-sig")
    compared, notes = changes(tmp_path / "old", tmp_path / "new")
    assert len(compared) == 3 and len(notes) == 1 and "only in" in notes[0]
    assert (compared.after[0], compared.change[0] < 0) == (worst, True) and (compared.change[1:] == 0).all()
    with pytest.raises(InputError, match="not a folder that `sabi grade` wrote"):
        changes(tmp_path / "old", tmp_path)


def test_exit_statuses(here, tmp_path):
    def run(*arguments: str) -> tuple[int, str]:
        ended = CliRunner().invoke(cli.app, ["grade", *arguments, "--model", str(here)])
        return ended.exit_code, ended.output

    good = "photographs/2026-11-25/drawing01.jpg"
    status, said = run(good, "--out", str(tmp_path / "all"))
    assert status == 0 and good in said and "1 photographs graded" in said
    status, said = run("photographs", "--out", str(tmp_path / "some"))
    assert status == 1 and "not graded: photographs/2026-11-25/notes.txt: not a photograph" in said
    assert run("photographs/2026-11-25/notes.txt", "--out", str(tmp_path / "none"))[0] == 2
    status, said = run("nowhere", "--out", str(tmp_path / "wrong"))
    assert (
        status == 2
        and said.startswith("error: nowhere: no such file or folder")
        and not (tmp_path / "wrong").exists()
    )


def test_what_changes_while_it_is_graded_stands_in_the_table_and_what_went_is_told(
    here, tmp_path, monkeypatch
):
    raw = shutil.copytree("photographs", tmp_path / "photographs")
    changed, gone = sorted((raw / "2026-11-25").glob("*.jpg"))[:2]
    real = Grader.grade

    def grade(self, photographs, *rest):
        rows = real(self, photographs, *rest)
        os.utime(changed, ns=(1, 1))
        gone.unlink(missing_ok=True)
        return rows

    monkeypatch.setattr(Grader, "grade", grade)
    with pytest.raises(InputError, match=r"went away after it was graded .*; the same command goes on"):
        grade_into(tmp_path / "out", [str(raw)], here)
    monkeypatch.setattr(Grader, "grade", real)
    assert {str(changed), str(gone)} - {*read_paths(tmp_path / "out", raw, here)} == {str(gone)}


def read_paths(out: Path, raw: Path, model: Path) -> list[str]:
    """What a grading that goes on gives: the paths of all photographs."""
    made = grade_into(out, [str(raw)], model)
    assert made.finished
    return [str(file) for file in made.graded.file]


def test_two_gradings_into_one_folder_and_other_photographs_into_a_begun_one_are_refused(
    here, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        interrupted_after(2, patch)
        grade_into(out, ["photographs"], here)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    other = shutil.copytree("photographs", tmp_path / "others")
    with pytest.raises(InputError, match=r"begun with other photographs, or .* names; give the same"):
        grade_into(out, [str(other)], here)
    with batch.alone(out), pytest.raises(InputError, match="another `sabi grade` is at work there"):
        grade_into(out, ["photographs"], here)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    (out / "survey.json").unlink()
    (out / batch.UNFINISHED).write_text("")  # as after a power cut
    assert grade_into(out, ["photographs"], here).finished


@pytest.mark.parametrize("out", ["file", "file/below", "link", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made_is_told_in_one_line(here, tmp_path, out):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    said = "(Not a directory|File exists|No such file or directory); see that it can be read"
    with pytest.raises(InputError, match=rf"^{tmp_path / out}.*: {said}"):
        grade_into(tmp_path / out, ["photographs"], here)


def test_photographs_of_one_name_are_compared_by_folder_and_specimens_called_na_by_that(here, tmp_path):
    for survey in ("old", "new"):
        grade_into(tmp_path / survey, ["photographs"], here)
        table = read(tmp_path / survey / "grades.csv")
        *_, best = names = json.loads((tmp_path / survey / "survey.json").read_text())["grades"]
        worst = names[0]
        grades = [worst, best if survey == "old" else worst, best, best]
        table["path"] = ["2025/b1/IMG.jpg", "2025/b2/IMG.jpg", "2025/b1/a.jpg", "2025/b1/b.jpg"]
        table["path"] = table.path.str.replace("2025", survey)
        table["specimen"] = ["", "", "NA", "NA"]
        table.assign(grade=grades).to_csv(tmp_path / survey / "grades.csv", index=False, encoding="utf-8-sig")
    compared, notes = changes(tmp_path / "old", tmp_path / "new")
    found = dict(zip(compared.specimen, zip(compared.before, compared.after, strict=True), strict=True))
    assert found == {"b2/IMG.jpg": (best, worst), "b1/IMG.jpg": (worst, worst), "NA": (best, best)}
    assert notes == []
    alone = read(tmp_path / "old/grades.csv").iloc[:1]  # names repeat in one of the surveys only
    (tmp_path / "less").mkdir()
    shutil.copy(tmp_path / "old/survey.json", tmp_path / "less")
    alone.to_csv(tmp_path / "less/grades.csv", index=False, encoding="utf-8-sig")
    assert changes(tmp_path / "less", tmp_path / "new")[0].specimen.tolist() == ["b1/IMG.jpg"]
    (tmp_path / "new" / batch.UNFINISHED).write_text("")
    assert "new: is not finished" in changes(tmp_path / "old", tmp_path / "new")[1][0]
    text = (tmp_path / "new/grades.csv").read_text(encoding="utf-8-sig")
    (tmp_path / "new/grades.csv").write_text(text.replace(",", ";"))
    with pytest.raises(InputError, match=r"new/grades.csv: not as `sabi grade` wrote it"):
        changes(tmp_path / "old", tmp_path / "new")


def test_a_place_to_keep_embeddings_that_cannot_be_made_is_told_with_the_way_out(here, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"file/sabi: Not a directory; .* let XDG_CACHE_HOME name a folder"):
        grade_into(tmp_path / "out", ["photographs"], here)
    assert not (tmp_path / "out").exists()


def test_a_grading_that_has_ended_meanwhile_stays_as_it_is(here, tmp_path, monkeypatch):
    """Another process ends between this one's look at the folder and its own beginning."""
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        interrupted_after(2, patch)
        grade_into(out, ["photographs"], here)

    def ends(*_, **__):
        (out / batch.UNFINISHED).unlink()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", ends)
        with pytest.raises(InputError, match="is there already and stays as it is"), batch.alone(out):
            pass
    assert not (out / batch.UNFINISHED).exists()
