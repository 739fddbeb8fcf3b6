"""Both languages say the same things."""

import ast
import re
import string

import pytest
from ruamel.yaml import YAML

from sabi.grading.folder import strangers
from sabi.photographs import features
from sabi.photographs.decoding import DRAWING_MARK
from sabi.photographs.manifest import doubts
from sabi.words.texts import texts, translated
from tests.conftest import ROOT

WORDS = ROOT / "sabi/words"
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def check_same(english: dict[str, str], japanese: dict[str, str]) -> None:
    assert english.keys() == japanese.keys()
    for key, text in english.items():
        assert text and japanese[key]
        assert not hasattr(english, key), f"{key}: templates would take the dictionary's own"
        assert names_in(text) == names_in(japanese[key]), key


@pytest.mark.parametrize("part", [None, "report"])
def test_each_text_is_there_in_both_languages_with_the_same_names(part):
    check_same(texts("en", part), texts("ja", part))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_report_has_texts_of_its_own_that_hide_none_of_the_shared_ones_and_are_all_used(language):
    own = read(f"report.{language}.yaml")
    assert own.keys() & texts(language).keys() == set()
    folder = ROOT / "sabi/report"
    code = "".join(file.read_text() for end in ("py", "j2") for file in folder.glob(f"*.{end}"))
    # "card_{name}" and "column_" ~ name; place ~ "_title".
    begun = tuple(re.findall(r'"([a-z]+_)(?:\{|" ~)', code))
    for key in own:
        used = re.search(rf"\b{key}\b", code) or key.startswith(begun) or key.endswith("_title")
        assert used, key


def read(name: str) -> dict[str, str]:
    return YAML(typ="safe").load((WORDS / name).read_text(encoding="utf-8"))


def test_messages_keep_their_values_in_japanese():
    for english, japanese in read("messages.ja.yaml").items():
        assert names_in(english) == names_in(japanese), english
        assert JAPANESE.search(japanese)


def reasons_in_code() -> set[str]:
    """Every text with which code refuses a file or a correction, 7 for its values."""
    found = set()
    for file in [*ROOT.glob("sabi/photographs/*.py"), *ROOT.glob("sabi/grading/*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id="Unusable"), args=[text])):
                    found |= written(text)
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id="reasons" | "rejected"))], value=text
                ):
                    found |= written(text)
                case ast.Assign(targets=[ast.Name(id="reason")], value=text):
                    found |= written(text)
                case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[_, text]):
                    found |= written(text)
                case ast.Return(value=text) if file.name == "correction.py" and text is not None:
                    found |= written(text)
    return found


def written(node: ast.expr) -> set[str]:
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.JoinedStr(values=parts):
            return {"".join(part.value if isinstance(part, ast.Constant) else "7" for part in parts)}
        case ast.IfExp(body=one, orelse=other):
            return written(one) | written(other)
    return set()


def test_every_reason_that_code_gives_is_there_in_japanese():
    reasons = reasons_in_code()
    assert len(reasons) >= 30
    assert {reason for reason in reasons if not JAPANESE.search(translated(reason, "ja"))} == set()
    assert {reason for reason in reasons if translated(reason, "en") != reason} == set()


def test_the_most_fitting_text_is_chosen_and_values_are_kept():
    said = translated("damaged (wrong checksum of IDAT); copy it from the camera again", "ja")
    assert "IDATのチェックサム" in said
    assert "{" not in said


def test_notes_and_features_are_there_in_japanese(tmp_path):
    drawing, other = tmp_path / "drawing.jpg", tmp_path / "other.jpg"
    drawing.write_bytes(DRAWING_MARK)
    other.write_bytes(b"")
    counts = {"without_specimen": 9, "accepted": 9, "first_without_specimen": "<a>.jpg"}
    case = {"differ_by_case": [["A1", "a1"]], "no_numbers": {"um": "n/a"}}
    messages = [
        *doubts(counts | case),
        *doubts(counts | case | {"without_specimen": 4}),
        *strangers([drawing, other], {"drawings": 3}),
        *strangers([drawing, other], {"drawings": 0}),
        *(text for both in features.describe(False).values() for text in both if text),
    ]
    assert len(messages) > 10
    for message in messages:
        assert JAPANESE.search(translated(message, "ja")), message
    assert "A1とa1" in translated(messages[1], "ja") and "<a>.jpg" in translated(messages[3], "ja")


def test_what_only_passes_through_stays_as_it_is():
    assert translated("out of paper", "ja") == "out of paper"
