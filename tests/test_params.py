"""Every mistake in params.yaml is told in one line that names the value."""

import copy
import re
from pathlib import Path
from typing import Literal, get_origin

import pytest
import yaml

from sabi.errors import InputError
from sabi.params import Params, load

SHIPPED = Path(__file__).parents[1] / "params.yaml"
RAW = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
RAW["split"] |= {"validation": 0.2, "test": 0.2}  # bounded together: known here whatever was changed there


def leaves(section, name=()):
    """Dotted names of all values; a list is one value."""
    for key, value in section.items():
        yield from leaves(value, (*name, key)) if isinstance(value, dict) else [".".join((*name, key))]


def sections(section, name=()):
    for key, value in section.items():
        if isinstance(value, dict):
            yield ".".join((*name, key))
            yield from sections(value, (*name, key))


LEAVES = list(leaves(RAW))
SECTIONS = list(sections(RAW))


def holder(raw, dotted):
    """The section that holds the value `dotted`, and its last name."""
    *parents, last = dotted.split(".")
    for parent in parents:
        raw = raw[parent]
    return raw, last


def value_at(dotted):
    section, last = holder(RAW, dotted)
    return section[last]


def kind_of(dotted):
    """The type that the model gives a value: int, float, bool, str or list."""
    annotation = Params
    for part in dotted.split("."):
        annotation = annotation.model_fields[part].annotation
    origin = get_origin(annotation)
    return str if origin is Literal else origin or annotation


def variant(dotted, value):
    raw = copy.deepcopy(RAW)
    section, last = holder(raw, dotted)
    section[last] = value
    return raw


def renamed(dotted, name):
    raw = copy.deepcopy(RAW)
    section, last = holder(raw, dotted)
    section[name] = section.pop(last)
    return raw


@pytest.fixture
def check(tmp_path):
    def check(raw) -> Params:
        file = tmp_path / "params.yaml"
        file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
        return load(file)

    return check


@pytest.fixture
def complaint(check):
    def complaint(raw) -> str:
        with pytest.raises(InputError) as caught:
            check(raw)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        assert message.startswith("params.yaml: ")
        return message

    return complaint


def test_the_shipped_file_is_valid_and_read_as_it_stands():
    params = load(SHIPPED)
    assert params.model_dump() == yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert len(LEAVES) > 40


WRONG = {
    int: ["no number", True, 1.5],
    float: ["no number", True],
    bool: ["yes", 1],
    str: [True, 1],
    list: ["no list", True, 1],
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_value_of_the_wrong_type_is_named(complaint, name):
    for wrong in [None, {"a": 1}, [[1]], *WRONG[kind_of(name)]]:
        message = complaint(variant(name, wrong))
        assert re.match(rf"params.yaml: {re.escape(name)}(\.0)? = ", message)
        assert "; params" not in message and message.count(" = ") == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_of_the_wrong_type_is_named(complaint, name):
    for wrong in (None, 5, "text", [1, 2], []):
        assert complaint(variant(name, wrong)).startswith(f"params.yaml: {name} = {wrong!r}: ")


@pytest.mark.parametrize("name", [*LEAVES, *SECTIONS])
def test_a_misspelt_name_gets_the_right_one_suggested_and_is_told_once(complaint, name):
    *parents, last = name.split(".")
    for wrong in (f"{last}s", last[1:], last[0] + last[2:3] + last[1] + last[3:]):
        if wrong == last or wrong in holder(RAW, name)[0]:
            continue
        dotted = ".".join([*parents, wrong])
        expected = f"params.yaml: {dotted} is not a parameter; did you mean {last}?"
        assert complaint(renamed(name, wrong)) == expected


@pytest.mark.parametrize("name", [*LEAVES, *SECTIONS])
def test_a_missing_value_is_named(complaint, name):
    raw = copy.deepcopy(RAW)
    section, last = holder(raw, name)
    del section[last]
    assert complaint(raw).startswith(f"params.yaml: {name} is missing; ")


def test_a_name_like_no_other_gets_the_list_of_those_allowed(complaint):
    raw = variant("augment.zoom", 2)
    assert "augment.zoom is not a parameter; allowed here: seed, size, copies, flip" in complaint(raw)


def test_several_mistakes_are_told_together(complaint):
    raw = variant("train.epochs", 0)
    raw["augment"]["hue"] = 0.6
    raw["report"]["worst"] = -1
    message = complaint(raw)
    assert all(part in message for part in ("train.epochs = 0", "augment.hue = 0.6", "report.worst = -1"))


SEEDS = [name for name in LEAVES if name.endswith("seed")]
BOUNDS = {  # name: allowed at the bound, not allowed beyond
    **dict.fromkeys(SEEDS, ([0, 2**32 - 1], [-1, 2**32])),
    "split.validation": ([1e-9, 0.79], [0, 1, -0.1]),
    "split.test": ([1e-9, 0.79], [0, 1, 1.5]),
    "split.min_side": ([1], [0]),
    "split.max_megapixels": ([1, 0.1], [0, -5]),
    "split.soft_score.half_width": ([0, 0.499], [-0.1, 0.5]),
    "augment.size": ([32, 1024], [31, 1025]),
    "augment.copies": ([0], [-1]),
    "augment.rotation": ([0, 180], [-1, 181]),
    "augment.brightness": ([0, 0.99], [-0.1, 1]),
    "augment.contrast": ([0, 0.99], [-0.1, 1]),
    "augment.hue": ([0, 0.5], [-0.1, 0.51]),
    "train.embed_batch": ([1], [0]),
    "train.pooling.balance": ([0, 2], [-0.1, 2.1]),
    "train.ridge.penalties": ([[1], [2.5, 2.5]], [[], [0.0], [1.0, -1.0]]),
    "train.ridge.folds": ([2], [1]),
    "train.dense.units": ([[1]], [[], [0], [8, -1]]),
    "train.dense.dropout": ([0, 0.99], [-0.1, 1]),
    "train.dense.loss.margin": ([0, 2], [-0.1]),
    "train.dense.loss.penalty": ([0, 2], [-0.1]),
    "train.epochs": ([1], [0]),
    "train.batch_size": ([2], [1]),
    "train.learning_rate": ([1e-9, 1], [0, -0.001]),
    "train.patience": ([1], [0]),
    "ensemble.members": ([["densenet"]], [[]]),
    "binning.thresholds": (
        [[1.1, 1.2, 4.8, 4.9]],
        [[], [2, 3, 4], [2, 3, 4, 4.5, 4.6], [2, 3, 3, 4], [3, 2, 4, 4.5], [1, 2, 3, 4], [2, 3, 4, 5]],
    ),
    "evaluate.bootstrap.resamples": ([100], [99]),
    "evaluate.projection.photographs": ([10], [9]),
    "report.worst": ([0], [-1]),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_allowed_and_what_is_beyond_is_named(check, complaint, name):
    allowed, beyond = BOUNDS[name]
    for value in allowed:
        assert check(variant(name, value)).model_dump() == variant(name, value)
    for value in beyond:
        assert complaint(variant(name, value)).startswith(f"params.yaml: {name}")


def test_every_number_has_a_tested_bound():
    numbers = {name for name in LEAVES if kind_of(name) in (int, float, list)}
    assert numbers == set(BOUNDS)


FLOATS = [name for name in LEAVES if kind_of(name) is float]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [*FLOATS, "binning.thresholds", "train.ridge.penalties"])
def test_no_number_is_infinite_or_nan(complaint, name, wrong):
    """NaN passes every check that is not made for it: each comparison is false, "out of order" too."""
    whole = value_at(name)
    if kind_of(name) is float:
        assert name in complaint(variant(name, wrong))
    else:
        for place in range(len(whole)):
            assert name in complaint(variant(name, [*whole[:place], wrong, *whole[place + 1 :]]))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "ensemble.members",
            ["densnet"],
            "unknown member 'densnet'; allowed: efficientnet, densenet, mobilenet",
        ),
        ("ensemble.members", ["densenet", "densenet"], "names a member twice"),
        ("networks.densenet.backbone", "ResNet50", "'EfficientNetV2S', 'DenseNet121' or 'MobileNetV3Large'"),
        ("networks.densenet.weights", "no/such.h5", "no such file; allowed: random, imagenet, or a Keras"),
        ("networks.densenet.weights", "", "networks.densenet.weights = ''"),
        ("networks.densenet.weights", ".", "no such file"),
        ("networks.densenet.weights", "Imagenet", "no such file"),
        ("split.specimen", "_(specimen", "not a regular expression (missing ), unterminated subpattern"),
        ("split.specimen", "two\n(lines", "not a regular expression"),
        ("split.specimen", "specimen[0-9]+", "exactly one group in parentheses"),
        ("split.specimen", "(a)(b)", "exactly one group in parentheses"),
        ("binning.thresholds", [2.3, 3.1, 3.1, 3.7], "must ascend strictly between 1 and 5"),
        ("split.validation", 0.8, "validation and test together must leave some for training"),
        ("split.soft_score.outside", "Clip", "'clip' or 'drop'"),
        ("train.head", "two\nlines", "'ridge' or 'dense'"),
        ("augment.flip", "yes", "augment.flip = 'yes'"),
    ],
)
def test_a_value_not_allowed_is_told_with_what_is(complaint, name, value, said):
    message = complaint(variant(name, value))
    assert said in message
    assert name.split(".")[-1] in message


def test_a_weights_file_of_the_repository_is_accepted_by_its_path_from_the_root(check, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/重み.h5").write_bytes(b"")
    chosen = check(variant("networks.mobilenet.weights", "weights/重み.h5"))
    assert chosen.networks.mobilenet.weights == "weights/重み.h5"
    with pytest.raises(InputError, match="not an absolute path"):
        check(variant("networks.mobilenet.weights", str(tmp_path / "weights/重み.h5")))


@pytest.mark.parametrize("size", [100, 150, 240])
def test_sides_on_which_networks_would_lose_a_resolution_are_refused(check, size):
    with pytest.raises(InputError, match="multiple of 32"):
        check(variant("augment.size", size))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train.learning_rate", "1e-3"),
        ("train.learning_rate", "1E-3"),
        ("train.learning_rate", "25e-8"),
        ("train.learning_rate", "12345678e-10"),
        ("split.max_megapixels", "2e2"),
        ("split.max_megapixels", "1.5e3"),
        ("evaluate.bootstrap.resamples", "2e3"),
    ],
)
def test_a_number_that_yaml_reads_as_text_comes_with_one_that_it_reads(check, complaint, name, text):
    message = complaint(variant(name, yaml.safe_load(text)))
    assert f"{name} = '{text}'" in message
    advice = re.search(r"YAML reads it as text: write (\S+)$", message).group(1)
    params = check(variant(name, yaml.safe_load(advice))).model_dump()
    section, last = holder(params, name)
    assert section[last] == float(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"split: [1, 2", "not YAML", id="unclosed list"),
        pytest.param(b"split:\n\tseed: 1\n", "not YAML", id="tab"),
        pytest.param(b"seed: \x07\n", "not YAML", id="control character"),
        pytest.param(b"a: 1\n---\nb: 2\n", "not YAML", id="two documents"),
        pytest.param(b"{[1]: 2}", "not YAML", id="list as a name"),
        pytest.param(b"seed: 2026-13-45\n", "params.yaml", id="impossible date"),
        pytest.param("# 錆\n".encode("shift-jis"), "params.yaml", id="Shift-JIS"),
        pytest.param(b"- split\n- augment\n", "the file = ['split', 'augment']", id="list"),
        pytest.param(b"", "the file = None", id="empty"),
        pytest.param(b"5\n", "the file = 5", id="number"),
        pytest.param(b"1: 2\n", "1 = 1: keys should be strings", id="number as a name"),
        pytest.param(b'"two\\nlines": 2\n', "params.yaml: two", id="name of two lines"),
    ],
)
def test_a_file_that_holds_no_parameters_is_told_in_one_line(tmp_path, content, said):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(tmp_path / "params.yaml")
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there_or_a_folder_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^params.yaml: no such file; run from the repository's root$"):
        load()
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(InputError, match=r"^params.yaml: .+$"):
        load()


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SHIPPED.read_bytes().replace(b"\n", b"\r\n"))
    assert load(file) == load(SHIPPED)
