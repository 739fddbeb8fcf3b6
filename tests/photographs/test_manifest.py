"""The manifest: every file accounted for, one piece of steel in one partition, whatever else is there."""

import functools
import json
import os
import tempfile
import unicodedata
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sabi.grades import Grades
from sabi.photographs.decoding import DRAWING_MARK
from sabi.photographs.files import find, printable
from sabi.photographs.manifest import COLUMNS, check_enough, differing_by_case, doubts, split
from sabi.photographs.partition import PARTITIONS, partition_of
from sabi.runtime.errors import InputError
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.tables import MANIFEST, REJECTED, SUMMARY, TEXT, read_graded, read_table, write_graded, write_table
from stages.split import RAW, main

FIVE = Grades(tuple("12345"), 3)
SUMMARY_OF_NONE = {
    "accepted": 0,
    "rejected": 0,
    "drawings": 0,
    "without_specimen": 0,
    "first_without_specimen": None,
    "differ_by_case": [],
    "no_numbers": {},
}
SHIPPED = load(Path(__file__).parents[2] / "params.yaml")


def params(outside="clip", half_width=0.2, labels=None, scale=None, size=32, **changes) -> Params:
    """The shipped parameters with other ones of split, and of labels, scale and augment.size."""
    values = SHIPPED.model_dump()
    values["split"] |= {"seed": 1, "specimen": "_(specimen[0-9]+)-", "validation": 0.2, "test": 0.2}
    values["split"] |= {"min_side": 1, "max_megapixels": 1.0} | changes
    values["split"]["soft_score"] = {"outside": outside, "half_width": half_width}
    values["labels"] |= labels or {}
    values["scale"] |= {"photographs": None, "target": None} | (scale or {})
    values["augment"]["size"] = size
    return Params.model_validate(values)


def write(file: Path, picture: int, **options) -> None:
    """An image of 6 x 6 pixels that only `picture` decides."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(picture).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG", **options)


# 40 photographs of 10 specimens, most of which have several grades.
POOL = [
    f"{['', 'bridge/', '橋/'][k % 3]}{1 + (k * 7 // 3) % 5}_specimen{k % 10:02d}-{k}.{['png', 'JPG'][k % 2]}"
    for k in range(40)
]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    for picture, path in enumerate(POOL):
        write(folder / path, picture)

    @functools.cache
    def whole(seed):
        return split(folder, params(seed=seed))[0]

    return folder, whole


def moved_for_a_grade(manifest: pd.DataFrame, seed: int) -> set[str]:
    """The specimens that are not where the draw alone would put them."""
    drawn = {s: partition_of(s, seed=seed, validation=0.2, test=0.2) for s in manifest.specimen}
    return {s for s, part in zip(manifest.specimen, manifest.partition, strict=True) if drawn[s] != part}


@settings(max_examples=40)
@given(paths=st.lists(st.sampled_from(POOL), unique=True), seed=st.integers(0, 5))
def test_only_specimens_moved_for_a_grade_move_when_others_come_or_go(pool, paths, seed):
    """In whatever order they lie on disk."""
    folder, whole = pool
    with tempfile.TemporaryDirectory(dir=folder.parent) as some:
        for path in paths:
            (Path(some) / path).parent.mkdir(exist_ok=True)
            os.link(folder / path, Path(some) / path)
        manifest, rejected, _, summary = split(Path(some), params(seed=seed))
    expected = whole(seed)[whole(seed).path.isin(paths)].reset_index(drop=True)
    other = moved_for_a_grade(manifest, seed) | moved_for_a_grade(whole(seed), seed)
    stay = ~manifest.specimen.isin(other)
    pd.testing.assert_frame_equal(manifest[stay], expected[stay], check_dtype=bool(paths))
    columns = [name for name in COLUMNS if name != "partition"]
    pd.testing.assert_frame_equal(manifest[columns], expected[columns], check_dtype=bool(paths))
    assert rejected.empty
    assert summary == SUMMARY_OF_NONE | {"accepted": len(paths)}


@pytest.mark.parametrize("seed", range(6))
def test_a_specimen_is_in_one_partition_and_a_soft_score_near_its_grade(pool, seed):
    manifest = pool[1](seed)
    assert manifest.path.tolist() == sorted(POOL)
    assert manifest.groupby("specimen").partition.nunique().eq(1).all()
    assert manifest.partition.isin(PARTITIONS).all()
    assert manifest.soft_score.between(1, 5).all()
    assert (manifest.soft_score - manifest.grade).abs().max() <= 0.2
    assert manifest.soft_score.nunique() > 20


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 4)),
        max_size=9,
        unique_by=lambda f: f[:2],
    )
)
def test_equal_pixels_are_used_once_or_if_graded_differently_not_at_all(files):
    """Each file is (grade, specimen, picture); the files' bytes differ even where pixels do not."""
    with tempfile.TemporaryDirectory() as folder:
        grades_of, paths_of = defaultdict(set), defaultdict(list)
        for number, (grade, specimen, picture) in enumerate(files):
            path = f"{grade}_specimen{specimen}-.png"
            write(Path(folder) / path, picture, compress_level=number)
            grades_of[picture].add(grade)
            paths_of[picture].append(path)
        manifest, rejected, _, _ = split(Path(folder), params())
    used = {min(paths_of[picture]) for picture, grades in grades_of.items() if len(grades) == 1}
    assert set(manifest.path) == used
    assert sorted([*manifest.path, *rejected.path]) == sorted(
        path for paths in paths_of.values() for path in paths
    )
    reasons = dict(zip(rejected.path, rejected.reason, strict=True))
    for picture, paths in paths_of.items():
        for path in set(paths) - used:
            word = "same pixels as" if len(grades_of[picture]) == 1 else "same pixels under another grade"
            assert reasons[path].startswith(word)
            assert any(other in reasons[path] for other in paths if other != path)


@pytest.mark.parametrize("first", ["3_IMG_0001 (copy).png", "3_specimen2-1.png"])
def test_of_equal_pixels_the_file_stays_whose_name_tells_the_specimen(tmp_path, first):
    """Else a copy would be a specimen of its own, perhaps on the other side of a test."""
    for path in (first, "3_specimen7-1.png", "3_specimen7-2.png", "3_zzz.png"):
        write(tmp_path / path, 1)
    manifest, rejected, _, summary = split(tmp_path, params())
    kept = min([first, "3_specimen7-1.png"], key=lambda path: ("specimen" not in path, path))
    assert manifest.path.tolist() == [kept] and summary["without_specimen"] == 0
    assert set(rejected.reason) == {f"same pixels as {kept}; one is enough"}


def test_of_equal_pixels_the_file_stays_whose_specimen_the_table_tells(tmp_path):
    for path in ("a.png", "b.png", "c.png"):
        write(tmp_path / path, 1)
    (tmp_path / "labels.csv").write_text("file,grade,specimen\na.png,3,\nb.png,3,girder\nc.png,3,girder\n")
    manifest, _, _, _ = split(tmp_path, params(labels={"source": "csv"}))
    assert manifest.path.tolist() == ["b.png"] and manifest.specimen.tolist() == ["girder"]


def test_every_file_is_in_exactly_one_of_manifest_and_rejected(tmp_path):
    good = ["3_specimen1-1.png", "bridge/4_specimen2-1.JPEG", '5_it\'s, "so".png', "3_folder.png/2_in.png"]
    for picture, path in enumerate(good):
        write(tmp_path / path, picture)
    write(tmp_path / "7_wrong grade.png", 90)
    write(tmp_path / "4_specimen1-copy.png", 0)  # makes the first good one doubtful
    write(tmp_path / os.fsdecode(b"3_\xff.png"), 91)
    (tmp_path / "notes.txt").write_text("rust")
    (tmp_path / "3_empty.jpg").touch()
    (tmp_path / "3_text.jpg").write_text("rust")
    (tmp_path / "3_link.jpg").symlink_to(tmp_path / "gone.jpg")
    manifest, rejected, _, _ = split(tmp_path, params())
    assert manifest.path.tolist() == sorted(good[1:])
    assert not set(manifest.path) & set(rejected.path)
    assert sorted([*manifest.path, *rejected.path]) == sorted(printable(path) for path in find(tmp_path))
    assert rejected.reason.str.len().gt(0).all()
    assert not rejected.reason.str.contains(str(tmp_path), regex=False).any()


def test_limits_of_size_are_those_of_the_parameters(tmp_path):
    write(tmp_path / "3_a.png", 1)
    assert len(split(tmp_path, params(min_side=6, max_megapixels=36e-6))[0]) == 1
    for limits in ({"min_side": 7}, {"max_megapixels": 35e-6}):
        assert len(split(tmp_path, params(**limits))[1]) == 1


def test_dropping_takes_scores_outside_the_scale_from_training_only(pool):
    clipped, none, _, _ = split(pool[0], params(half_width=0.45))
    dropped, rejected, _, _ = split(pool[0], params("drop", half_width=0.45))
    outside = clipped.soft_score.isin([1.0, 5.0])
    training = clipped.partition == "train"
    assert none.empty and (outside & training).any() and (outside & ~training).any()
    kept = clipped[~(outside & training)].reset_index(drop=True)
    pd.testing.assert_frame_equal(dropped, kept)
    assert rejected.path.tolist() == clipped.path[outside & training].tolist()
    assert rejected.reason.str.contains("split.soft_score.outside: drop", regex=False).all()


def test_only_drawings_that_are_used_are_counted(tmp_path):
    write(tmp_path / "3_a.png", 1)
    for name, colour in (("3_b.jpg", "red"), ("3_b copy.jpg", "red"), ("4_c.jpg", "blue")):
        Image.new("RGB", (9, 9), colour).save(tmp_path / name, comment=DRAWING_MARK)
    manifest, rejected, _, summary = split(tmp_path, params())
    assert (len(manifest), len(rejected)) == (3, 1)
    counts = {"accepted": 3, "rejected": 1, "drawings": 2, "without_specimen": 3}
    assert summary == SUMMARY_OF_NONE | counts | {"first_without_specimen": "3_a.png"}


# Names with control characters never get into a table: see test_names_with_control_characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@settings(max_examples=100)
@given(st.lists(TEXTS, min_size=1))
@example(["007", "NA", "null", "nan", "None", "True", "1e3", "", " a ", "0x1F", "-inf"])
@example(['it\'s "so", really', "a;b,c", '"', ",", "橋", "\ufeffx"])
def test_text_comes_back_from_a_table_as_it_was(texts):
    table = pd.DataFrame(dict.fromkeys(TEXT, texts) | {"soft_score": np.arange(len(texts)) / 3 + 1})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "new" / "table.csv"
        write_table(table, file)
        assert read_table(file).to_dict("list") == table.to_dict("list")


@pytest.mark.parametrize(
    ("name", "shown"), [("Icon\r", "Icon\\x0d"), ("3_two\nlines.png", "3_two\\x0alines.png")]
)
def test_names_with_control_characters_are_rejected_in_one_row(tmp_path, name, shown):
    """macOS puts a file named Icon and a carriage return into folders."""
    write(tmp_path / name, 3)
    _, rejected, _, _ = split(tmp_path, params())
    write_table(rejected, tmp_path / "rejected.csv")
    reason = "its name is not UTF-8 or has control characters; rename it"
    assert read_table(tmp_path / "rejected.csv").to_dict("records") == [{"path": shown, "reason": reason}]


def test_an_empty_table_keeps_its_columns(tmp_path):
    write_table(pd.DataFrame([], columns=["path", "reason"]), tmp_path / "none.csv")
    assert read_table(tmp_path / "none.csv").columns.tolist() == ["path", "reason"]


@pytest.mark.parametrize(
    "specimen",
    ["007", "NA", "null", 'a "b"', "it's", "a, b", "橋 1", "1e5"],
)
def test_a_specimen_s_name_survives_the_manifest(tmp_path, specimen):
    write(tmp_path / f"3_{specimen}-1.png", 1)
    manifest, rejected, _, _ = split(tmp_path, params(specimen="_([^/]+)-"))
    assert rejected.empty
    write_graded(manifest, FIVE, tmp_path / "out.csv")
    again = read_graded(tmp_path / "out.csv", FIVE)
    pd.testing.assert_frame_equal(again, manifest)
    assert again.specimen.tolist() == [specimen]


NO_FILES = pd.DataFrame([], columns=["path", "reason"])


def check(manifest: pd.DataFrame, chosen: Params, drawings: int = 0) -> None:
    check_enough(manifest, NO_FILES, SUMMARY_OF_NONE | {"drawings": drawings}, RAW, chosen)


def table(*left_out, grades=5):
    """A manifest with one photograph of every grade in every partition but those left out.

    Of those there is one more in another partition, so that specimens are enough.
    """
    rows = [
        (f"{g}_{p}.png", "", p, g, p, float(g), None)
        for g in range(1, grades + 1)
        for p in PARTITIONS
        if (g, p) not in left_out
    ]
    for g, p in left_out:
        elsewhere = next(part for part in PARTITIONS if (g, part) not in left_out)
        rows.append((f"{g}_{p}.png", "", f"not {p}", g, elsewhere, float(g), None))
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(
    "names", [["defect", "good"], list("12345"), [f"{age}s" for age in range(10, 70, 10)]]
)
def test_one_photograph_of_every_grade_in_every_partition_is_enough(names):
    chosen = params(labels={"grades": names, "sound": names[1]})
    check(table(grades=len(names)), chosen)
    with pytest.raises(
        InputError, match=f"too few specimens: grade {names[-1]} has 0; every grade needs 3, "
    ):
        check(table(grades=len(names) - 1), chosen)


@pytest.mark.parametrize("grade", range(1, 6))
@pytest.mark.parametrize("part", PARTITIONS)
def test_a_grade_that_a_partition_lacks_is_named(grade, part):
    """Where sharing out was impossible."""
    with pytest.raises(InputError) as caught:
        check(table(*{(grade, part), (3, "test")}), params())
    message = str(caught.value)
    assert f"grade {grade} in {part}" in message and "grade 3 in test" in message
    assert message.split(": specimens")[0].count("grade ") == len({(grade, part), (3, "test")})
    assert message.startswith("data/raw: ") and "\n" not in message
    # Another seed would be a choice of the test photographs by hand.
    assert "seed" not in message


@pytest.mark.parametrize(
    ("folds", "needed", "said"),
    [(1, 3, "have one each;"), (2, 4, "in each of the 2 folds;"), (5, 5, "in each of the 5 folds;")],
)
def test_grades_with_too_few_specimens_are_told_with_the_number_needed(folds, needed, said):
    rows = [
        (f"{g}_{k}.png", "", f"{g}-{k}", g, PARTITIONS[k % 3], float(g), None)
        for g in range(1, 6)
        for k in range({2: needed - 1, 4: 1}.get(g, needed))
    ]
    manifest = pd.DataFrame(rows, columns=COLUMNS)
    with pytest.raises(InputError) as caught:
        check(manifest, params(folds=folds))
    few = f"too few specimens: grade 2 has {needed - 1}, grade 4 has 1; every grade needs {needed}, "
    assert f"data/raw: {few}" in str(caught.value) and said in str(caught.value)
    assert "seed" not in str(caught.value)


def test_own_photographs_beside_the_drawings_of_the_sample_are_refused():
    check(table(), params(), drawings=15)
    check(table(), params(), drawings=0)
    with pytest.raises(
        InputError, match=r"^data/raw: 1 of the 15 photographs are drawings .*take the drawings out"
    ):
        check(table(), params(), drawings=1)


def test_the_stage_refuses_a_mixture_and_says_which_specimens_are_doubtful(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for picture in range(15):
        write(tmp_path / f"data/raw/{1 + picture % 5}_{'bB'[picture % 2]}ridge{picture // 6}-.png", picture)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "data/raw/3_specimen9-.jpg", comment=DRAWING_MARK)
    with pytest.raises(InputError, match="1 of the 16 photographs are drawings of sabi's sample"):
        main(params(specimen="_([bB]ridge[0-9]+)-"))
    printed = capsys.readouterr().out
    assert (
        "NOTE: split.specimen matches only some names: 1 of 16 photographs, the first 3_specimen9-" in printed
    )
    assert (
        "NOTE: 3 names of specimens are there in capitals and in small letters, such as Bridge0 and bridge0"
        in (printed)
    )


SPELLINGS = (
    lambda name: unicodedata.normalize("NFC", name),
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: name.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}),
    lambda name: f"{name} ",
    lambda name: f"{name}\u3000",
    lambda name: f"\ufeff{name}",
    lambda name: name.replace(" ", "  "),
)


@settings(max_examples=25)
@given(
    pieces=st.lists(st.sampled_from(["ブリッジ 1", "ブリッジ 2", "橋 12", "Träger 7", "pont 3"]), max_size=8),
    spelled=st.lists(st.sampled_from(SPELLINGS), min_size=8, max_size=8),
    pattern=st.sampled_from(["_([^/]+)-", "_(nothing)-", "_((?:ブリッジ|橋|Träger|pont) [0-9]+)", "csv"]),
    seed=st.integers(0, 9),
)
def test_however_a_piece_of_steel_is_spelled_it_is_in_one_partition(pieces, spelled, pattern, seed):
    with tempfile.TemporaryDirectory() as folder:
        rows, piece_of = ["file,grade,specimen"], {}
        for picture, (piece, spell) in enumerate(zip(pieces, spelled, strict=False)):
            # Where nothing names the specimen it is the name without grade, here the same for all of a piece.
            end = "-" + "x" * picture if pattern == "_([^/]+)-" else ""
            path = f"{picture}/{1 + picture % 5}_{spell(piece)}{end}.png"
            if pattern == "_(nothing)-":
                path = f"{spell(piece)}/{1 + picture % 5}_a{'.png' if picture % 2 else '.PNG'}"
            if (Path(folder) / path).exists():
                continue
            write(Path(folder) / path, picture)
            rows.append(f"{path},{1 + picture % 5},{spell(piece)}")
            piece_of[path] = piece
        source = "csv" if pattern == "csv" else "name"
        if source == "csv":
            (Path(folder) / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
        chosen = params(seed=seed, specimen="_(x)" if source == "csv" else pattern, labels={"source": source})
        manifest, rejected, _, _ = split(Path(folder), chosen)
    assert len(manifest) == len(piece_of) and rejected.empty
    partitions = manifest.groupby(manifest.path.map(piece_of)).partition.nunique()
    assert partitions.eq(1).all()


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ({"accepted": 3}, []),
        ({"accepted": 3, "without_specimen": 3}, ["matches no name"]),
        (
            {"accepted": 80, "without_specimen": 25, "first_without_specimen": "1_Bridge3-2.jpg"},
            ["matches only some names: 25 of 80 photographs, the first 1_Bridge3-2.jpg, count as"],
        ),
        (
            {"accepted": 3, "differ_by_case": [["Bridge1", "bridge1"], ["A", "a"]]},
            ["2 names of specimens are there in capitals and in small letters, such as Bridge1 and bridge1"],
        ),
        (
            {"accepted": 3, "no_numbers": {"um": "n/a"}},
            ["the column um has cells that are no numbers, such as 'n/a', which count as empty"],
        ),
    ],
)
def test_what_is_doubtful_is_told_with_number_and_example(summary, said):
    notes = doubts(SUMMARY_OF_NONE | summary)
    assert len(notes) == len(said) and all(part in note for part, note in zip(said, notes, strict=True))


def test_specimens_that_differ_by_case_alone_are_found():
    names = ["b1", "B1", "b2", "STRASSE", "straße", "B1"]
    assert differing_by_case(names) == [["B1", "b1"], ["STRASSE", "straße"]]


@pytest.mark.parametrize("bad", [None, "notes.txt", "two\nlines.txt"])
def test_no_usable_photograph_is_one_line_that_names_the_folder_and_the_first_file(tmp_path, bad):
    if bad:
        (tmp_path / bad).write_text("rust")
    manifest, rejected, _, _ = split(tmp_path, params())
    with pytest.raises(InputError) as caught:
        check_enough(manifest, rejected, SUMMARY_OF_NONE, RAW, params())
    message = str(caught.value)
    assert "data/raw: no usable photographs" in message and "<grade>_" in message
    assert len(message.splitlines()) == 1
    assert not bad or bad.splitlines()[-1] in message


def test_the_stage_writes_its_tables_even_where_photographs_are_missing(tmp_path, monkeypatch):
    """The list of rejected files is what a user needs then."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data/raw/3_a.png", 1)
    (tmp_path / "data/raw/notes.txt").write_text("rust")
    with pytest.raises(InputError, match=r"too few specimens: grade 1 has 0, .*grade 3 has 1"):
        main(params())
    assert read_table(MANIFEST).path.tolist() == ["3_a.png"]
    assert read_table(REJECTED).path.tolist() == ["notes.txt"]
    counts = {"accepted": 1, "rejected": 1, "without_specimen": 1, "first_without_specimen": "3_a.png"}
    assert json.loads(SUMMARY.read_text()) == SUMMARY_OF_NONE | counts


# Labels from elsewhere, and scale.

THREE = {"grades": ["bad", "so so", "good"], "sound": "so so"}


def test_the_same_photographs_are_split_alike_whatever_tells_their_grades(tmp_path):
    """But for the path: the partition follows the specimen, the soft score the content."""
    layouts = {"name": "{}_{}.png", "folder": "{}/{}.png", "csv": "{1}.png"}
    manifests = {}
    for source, layout in layouts.items():
        rows = ["file,grade"]
        for picture in range(12):
            grade = THREE["grades"][picture % 3]
            path = layout.format(grade, f"photo{picture}")
            write(tmp_path / source / path, picture)
            rows.append(f"{path},{grade}")
        if source == "csv":
            (tmp_path / source / "labels.csv").write_text("\n".join(rows))
        chosen = params(labels={"source": source, **THREE})
        manifest, rejected, _, summary = split(tmp_path / source, chosen)
        assert rejected.empty and summary["without_specimen"] == 12
        manifests[source] = manifest.drop(columns="path").sort_values("sha256", ignore_index=True)
    assert manifests["name"].partition.nunique() > 1
    assert set(manifests["name"].specimen) == {f"photo{picture}" for picture in range(12)}
    pd.testing.assert_frame_equal(manifests["name"], manifests["folder"])
    pd.testing.assert_frame_equal(manifests["name"], manifests["csv"])


def test_a_table_s_specimen_goes_before_the_pattern_and_its_files_are_all_accounted_for(tmp_path):
    for picture, name in enumerate(["a_specimen1-.png", "b.png", "c.png", "unlisted.png"]):
        write(tmp_path / name, picture)
    (tmp_path / "labels.csv").write_text(
        "file,grade,specimen\na_specimen1-.png,1,girder 7\nb.png,2,\nc.png,9,\ngone.png,1,\nlabels.csv,1,\n"
    )
    manifest, rejected, _, summary = split(tmp_path, params(labels={"source": "csv"}))
    assert dict(zip(manifest.path, manifest.specimen, strict=True)) == {
        "a_specimen1-.png": "girder 7",
        "b.png": "b",
    }
    assert rejected.path.tolist() == ["c.png", "gone.png", "unlisted.png"]
    counts = {"accepted": 2, "rejected": 3, "without_specimen": 1, "first_without_specimen": "b.png"}
    assert summary == SUMMARY_OF_NONE | counts


def test_a_listed_file_that_is_no_photograph_is_refused_as_such(tmp_path):
    (tmp_path / "notes.txt").write_text("rust")
    (tmp_path / "labels.csv").write_text("file,grade\nnotes.txt,1\n")
    manifest, rejected, _, _ = split(tmp_path, params(labels={"source": "csv"}))
    assert manifest.empty and rejected.path.tolist() == ["notes.txt"]
    assert rejected.reason[0].startswith("not a photograph")


def test_a_photograph_s_own_scale_goes_before_that_of_all(tmp_path):
    for picture, name in enumerate(["3_a.png", "3_b.png"]):
        write(tmp_path / name, picture)
    assert split(tmp_path, params())[0].mm_per_pixel.isna().all()
    (tmp_path / "labels.csv").write_text("file,mm_per_pixel\n3_a.png,0.3\n")
    write_table(split(tmp_path, params())[0], tmp_path / "out" / "manifest.csv")
    assert read_table(tmp_path / "out" / "manifest.csv").mm_per_pixel.tolist() == pytest.approx(
        [0.3, np.nan], nan_ok=True
    )
    assert split(tmp_path, params(scale={"photographs": 0.1}))[0].mm_per_pixel.tolist() == [0.3, 0.1]


def test_photographs_that_show_too_little_or_of_unknown_scale_are_refused_where_there_is_a_target(tmp_path):
    for picture, name in enumerate(["3_a.png", "3_b.png", "3_c.png"]):  # 6 pixels a side
        write(tmp_path / name, picture)
    (tmp_path / "labels.csv").write_text("file,mm_per_pixel\n3_a.png,0.8\n3_b.png,0.7\n")
    manifest, rejected, _, _ = split(tmp_path, params(scale={"target": 0.15}))
    assert manifest.path.tolist() == ["3_a.png"]
    assert rejected.path.tolist() == ["3_b.png", "3_c.png"]
    assert "4.2 x 4.2 mm; 4.8 mm are needed" in rejected.reason[0]
    assert "scale is unknown" in rejected.reason[1]
    assert len(split(tmp_path, params())[0]) == 3


def test_a_photograph_graded_twice_is_not_used_because_one_copy_lacks_its_scale(tmp_path):
    write(tmp_path / "3_a.png", 1)
    write(tmp_path / "4_a.png", 1)
    (tmp_path / "labels.csv").write_text("file,mm_per_pixel\n3_a.png,1\n")
    manifest, rejected, _, _ = split(tmp_path, params(scale={"target": 0.01}))
    assert manifest.empty and rejected.reason.str.contains("under another grade").all()


@pytest.mark.parametrize(
    ("source", "layout"), [("name", "<grade>_"), ("folder", "<grade>/"), ("csv", "labels.csv")]
)
def test_an_empty_folder_is_told_with_what_the_source_of_labels_wants(tmp_path, source, layout):
    if source == "csv":
        (tmp_path / "labels.csv").write_text("file,grade\n")
    chosen = params(labels={"source": source, **THREE})
    manifest, rejected, _, _ = split(tmp_path, chosen)
    with pytest.raises(InputError) as caught:
        check_enough(manifest, rejected, SUMMARY_OF_NONE, RAW, chosen)
    assert layout in str(caught.value) and "grades bad, so so, good" in str(caught.value)


def test_soft_scores_keep_within_any_number_of_grades(tmp_path):
    for picture in range(30):
        write(tmp_path / f"{['bad', 'good'][picture % 2]}_{picture}.png", picture)
    chosen = {"labels": {"grades": ["bad", "good"], "sound": "good"}, "half_width": 0.4}
    manifest, _, _, _ = split(tmp_path, params(**chosen))
    assert manifest.soft_score.between(1, 2).all() and manifest.soft_score.isin([1, 2]).any()
    _, rejected, _, _ = split(tmp_path, params("drop", **chosen))
    assert len(rejected) and rejected.reason.str.contains(r"outside 1\.\.2 ").all()
