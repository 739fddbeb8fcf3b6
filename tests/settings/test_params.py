"""Every mistake in params.yaml is told in one line that names the value."""

import copy
import pickle
import re
import shutil
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given, settings
from hypothesis import strategies as st

from sabi.evaluation import sets
from sabi.evaluation.metrics import METRICS
from sabi.networks import NETWORKS, STANDARD, Own
from sabi.runtime.errors import InputError
from sabi.settings.loading import checked, load
from sabi.settings.params import Params
from sabi.settings.reading import read_yaml

SHIPPED = Path(__file__).parents[2] / "params.yaml"


def shipped() -> dict:
    """The shipped values, with the names of grades as the text they are."""
    raw = read_yaml(SHIPPED.read_text(encoding="utf-8"))
    raw["labels"]["grades"] = [str(name) for name in raw["labels"]["grades"]]
    raw["labels"]["sound"] = str(raw["labels"]["sound"])
    raw["binning"]["correction"]["above"] = str(raw["binning"]["correction"]["above"])
    return raw


RAW = shipped()
RAW["split"] |= {"validation": 0.2, "test": 0.2}  # bounded together: known here whatever was changed there
RAW["binning"] |= {"method": "fixed"}  # so that thresholds are checked
# Text or a whole number.
GRADES = ("labels.sound", "binning.correction.above")


def leaves(section, name=()):
    """Dotted names of all values; a list is one value, and so is an empty mapping."""
    for key, value in section.items():
        yield from (
            leaves(value, (*name, key)) if value and isinstance(value, dict) else [".".join((*name, key))]
        )


def sections(section, name=()):
    for key, value in section.items():
        if value and isinstance(value, dict):
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


def kinds_of(dotted):
    """The types that the model gives a value: int, float, bool, str, list, NoneType."""
    annotation = Params
    for part in dotted.split("."):
        annotation = annotation.model_fields[part].annotation
    if get_origin(annotation) in (Union, UnionType):
        # A bound number in a union is Annotated.
        return {getattr(kind, "__origin__", kind) for kind in get_args(annotation)}
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    return {get_origin(annotation) or annotation}


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


def check(raw) -> Params:
    return checked(raw, "params.yaml")


def complaint(raw) -> str:
    with pytest.raises(InputError) as caught:
        check(raw)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith("params.yaml: ")
    return message


def test_the_shipped_file_is_valid_and_read_as_it_stands():
    params = load(SHIPPED)
    assert params.model_dump() == shipped()
    assert len(LEAVES) > 80


VALUES = {
    NoneType: [None],
    int: [5],
    float: [0.5, 1.5],
    bool: [True],
    str: ["no value", "yes"],
    list: [[[1]]],
    dict: [{"a": 1}],
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_value_of_the_wrong_type_is_named(name):
    allowed = kinds_of(name) | ({int} if kinds_of(name) & {float} or name in GRADES else set())
    for kind, values in VALUES.items():
        if kind not in allowed or kind is list:  # every list has items of one type, and not lists
            for wrong in values:
                message = complaint(variant(name, wrong))
                assert re.match(rf"params.yaml: {re.escape(name)}(\.0)? = ", message)
                assert "; params" not in message and message.count(" = ") == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_of_the_wrong_type_is_named(name):
    for wrong in (None, 5, "text", [1, 2], []):
        message = complaint(variant(name, wrong))
        assert message.startswith(f"params.yaml: {name} = {wrong!r}: must be a section with ")
        assert all(value in message for value in value_at(name))


@pytest.mark.parametrize("name", [*LEAVES, *SECTIONS])
def test_a_misspelt_name_gets_the_right_one_suggested_and_is_told_once(name):
    *parents, last = name.split(".")
    for wrong in (f"{last}s", last[1:], last[0] + last[2:3] + last[1] + last[3:]):
        if wrong == last or wrong in holder(RAW, name)[0]:
            continue
        dotted = ".".join([*parents, wrong])
        expected = f"params.yaml: {dotted} is not a parameter; did you mean {last}?"
        assert complaint(renamed(name, wrong)) == expected


def test_a_fold_is_one_of_the_folds_and_takes_the_place_of_the_test_share():
    raw = variant("split.folds", 5)
    raw["split"] |= {"fold": 4, "test": 0.95}
    assert check(raw).split.fold == 4
    raw["split"]["fold"] = 5
    assert "split.fold = 5: folds = 5 has the folds 0 to 4" in complaint(raw)
    raw["split"] |= {"fold": 0, "folds": 2, "validation": 0.5}
    assert "split.validation and a fold together must leave some for training" in complaint(raw)


def test_without_the_standard_three_the_candidates_are_all_there_is():
    assert check(changed(standard=False, candidates=["vgg16"], ensemble__members=["vgg16"])).networks == [
        "vgg16"
    ]
    message = complaint(changed(standard=False, candidates=["vgg16"]))
    assert "'efficientnet' is not trained; set standard to true" in message


def test_the_gate_has_a_rule_for_every_metric():
    assert set(RAW["gate"]["rules"]) == {*METRICS, *sets.METRICS}


@pytest.mark.parametrize("name", [*LEAVES, *SECTIONS])
def test_a_missing_value_is_named(name):
    raw = copy.deepcopy(RAW)
    section, last = holder(raw, name)
    del section[last]
    assert complaint(raw).startswith(f"params.yaml: {name} is missing; ")


def test_a_name_like_no_other_gets_the_list_of_those_allowed():
    raw = variant("augment.quantity", 2)
    assert "augment.quantity is not a parameter; allowed here: seed, size, copies, fill, " in complaint(raw)


def test_several_mistakes_are_told_together():
    raw = variant("train.epochs", 0)
    raw["augment"]["hue"]["strength"] = 0.6
    raw["report"]["worst"] = -1
    message = complaint(raw)
    assert all(
        part in message for part in ("train.epochs = 0", "augment.hue.strength = 0.6", "report.worst = -1")
    )


SEEDS = [name for name in LEAVES if name.endswith("seed")]
PROBABILITIES = [name for name in LEAVES if name.endswith("probability")]
TOLERATED = [name for name in LEAVES if name.endswith("tolerated")]
FIVE = ["a", "b", "3", "c", "d"]  # with the shipped labels.sound
BOUNDS = {  # name: allowed at the bound, not allowed beyond
    **dict.fromkeys(SEEDS, ([0, 2**32 - 1], [-1, 2**32])),
    **dict.fromkeys(PROBABILITIES, ([0, 1], [-0.1, 1.1])),
    "train.measured_weight": ([0.001, 1000], [0, 1001]),
    "train.pooling.flips": ([1, 2, 4], [0, 3, 5]),
    "train.weights_of": (
        [{}, {"efficientnet_lite0": "random", "densenet": "imagenet"}],
        [{"densenet": 1}, {"densnet": "random"}, {"densenet": "nowhere"}, {"densenet": "/tmp"}],
    ),
    "evaluate.confidence": ([0.5, 0.99], [0.49, 0.991, 1]),
    "evaluate.false_alarms": ([0.01, 0.5], [0, 0.009, 0.51]),
    "labels.grades": (
        [FIVE, ["良", "1 or 2", "3", "<b>", "x_y"]],
        [
            [],
            ["3"],
            [*FIVE[:4], "c"],
            [*FIVE[:4], ""],
            [*FIVE[:4], "x/y"],
            [*FIVE[:4], " d"],
            [*FIVE[:4], "x\ny"],
            [*FIVE, *map(str, range(10, 106))],
        ],
    ),
    "scale.photographs": ([0.001, 100, None], [0, 0.0009, 101]),
    "scale.target": ([0.001, 100, None], [0, 0.0009, 101]),
    "split.validation": ([1e-9, 0.79], [0, 1, -0.1]),
    "split.test": ([1e-9, 0.79], [0, 1, 1.5]),
    "split.folds": ([1, 2, 100], [0, 101]),
    "split.fold": ([0], [-1, 1]),
    "split.min_side": ([1, 10_000], [0, 10_001]),
    "split.max_megapixels": ([1000, 0.1], [0, -5, 1001]),
    "split.soft_score.half_width": ([0, 0.499], [-0.1, 0.5]),
    "augment.size": ([32, 1024], [31, 1025]),
    "augment.copies": ([0, 100], [-1, 101]),
    "augment.rotation.strength": ([0, 180], [-1, 181]),
    "augment.zoom.strength": ([0, 0.9], [-0.1, 0.91]),
    "augment.shift.strength": ([0, 1], [-0.1, 1.1]),
    "augment.shear.strength": ([0, 60], [-1, 61]),
    "augment.resized_crop.strength": ([0, 0.95], [-0.1, 0.96]),
    "augment.brightness.strength": ([0, 0.99], [-0.1, 1]),
    "augment.contrast.strength": ([0, 0.99], [-0.1, 1]),
    "augment.hue.strength": ([0, 0.5], [-0.1, 0.51]),
    "augment.grid_shuffle.strength": ([2, 3], [1, 4]),
    "augment.cutout.strength": ([0, 0.5], [-0.1, 0.51]),
    "augment.mixup.strength": ([0, 0.5], [-0.1, 0.51]),
    "candidates": ([[], ["vgg16", "cnn1"]], [["vgg16", "vgg16"]]),
    "train.fine_tune.layers": ([1, 10_000], [0, -1, 10_001]),
    "train.fine_tune.first": ([{}, {"vgg16": "block5_conv1"}], [{"vgg": "block5_conv1"}]),
    "train.fine_tune.learning_rate": ([1e-9, 1], [0, -0.001, 1.1]),
    "train.fine_tune.epochs": ([1, 10_000], [0, 10_001]),
    "train.threads": ([1, 256], [0, 257]),
    "train.embed_batch": ([1, 1024], [0, 1025]),
    "train.pooling.balance": ([0, 2], [-0.1, 2.1]),
    "train.ridge.penalties": ([[1], [2.5, 2.5]], [[], [0.0], [1.0, -1.0], [1.0] * 101]),
    "train.ridge.folds": ([2, 100], [1, 101]),
    "train.dense.units": ([[1], [10_000]], [[], [0], [8, -1], [10_001], [1] * 11]),
    "train.dense.dropout": ([0, 0.99], [-0.1, 1]),
    "train.loss.margin": ([0, 2], [-0.1]),
    "train.loss.penalty": ([0, 2], [-0.1]),
    "train.loss.asymmetry": ([0, 9], [-0.1]),
    "train.epochs": ([1, 10_000], [0, 10_001]),
    "train.batch_size": ([2, 10_000], [1, 10_001]),
    "train.learning_rate": ([1e-9, 1], [0, -0.001]),
    "train.patience": ([1, 10_000], [0, 10_001]),
    "ensemble.members": ([["densenet"]], [[]]),
    "binning.thresholds": (
        [[1.1, 1.2, 4.8, 4.9]],
        [[], [2, 3, 4], [2, 3, 4, 4.5, 4.6], [2, 3, 3, 4], [3, 2, 4, 4.5], [1, 2, 3, 4], [2, 3, 4, 5]],
    ),
    "binning.correction.within": ([0.001, 1], [0, -0.1, 1.1]),
    "evaluate.bootstrap.resamples": ([100, 10_000], [99, 10_001, 99999999999]),
    "evaluate.projection.methods": ([["umap"], ["tsne", "pca"]], [[], ["lda"], ["pca", "pca"]]),
    "evaluate.projection.photographs": ([10, 10_000], [9, 10_001]),
    "report.worst": ([0, 1000], [-1, 1001]),
    "report.why": ([0, 1000], [-1, 1001]),
    **dict.fromkeys(TOLERATED, ([0, 0.5, None], [-0.01])),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_allowed_and_what_is_beyond_is_named(name):
    allowed, beyond = BOUNDS[name]
    for value in allowed:
        assert check(variant(name, value)).model_dump() == variant(name, value)
    for value in beyond:
        assert complaint(variant(name, value)).startswith(f"params.yaml: {name}")


def test_every_number_has_a_tested_bound():
    numbers = {name for name in LEAVES if kinds_of(name) & {int, float, list, dict}}
    assert numbers == set(BOUNDS)


@pytest.mark.parametrize("name", [name for name in LEAVES if int in kinds_of(name)])
def test_no_count_is_without_end(name):
    assert complaint(variant(name, 10**11)).startswith(f"params.yaml: {name}")


FLOATS = [name for name in LEAVES if float in kinds_of(name)]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [*FLOATS, "binning.thresholds", "train.ridge.penalties"])
def test_no_number_is_infinite_or_nan(name, wrong):
    """NaN passes every check that is not made for it: each comparison is false, "out of order" too."""
    whole = value_at(name)
    if float in kinds_of(name):
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
            "ensemble.members: unknown member 'densnet'; allowed: efficientnet, densenet, mobilenet",
        ),
        ("ensemble.members", ["vgg16"], "ensemble.members: 'vgg16' is not trained; add it to candidates"),
        ("ensemble.members", ["densenet", "densenet"], "names a member twice"),
        ("candidates", ["densenet"], "'densenet' is one of the standard three; leave it out"),
        ("candidates", ["resnet"], "unknown network 'resnet'; allowed: inceptionresnet, xception, vgg16"),
        ("labels.source", "names", "'name', 'folder' or 'csv'"),
        ("labels.sound", "1", "labels.sound = '1' must be one of labels.grades, not the worst: 2, 3, 4, 5"),
        ("labels.sound", "good", "labels.sound = 'good' must be one of labels.grades"),
        (
            "labels.grades",
            [True, False],
            "labels.grades.0 = True: input should be a valid string; YAML",
        ),
        (
            "labels.grades",
            ["a", "b", "3", "d", 0.5],
            "labels.grades.4 = 0.5: input should be a valid string; YAML",
        ),
        ("train.weights", "no/such", "no such folder; allowed: random, imagenet, or a folder with Keras"),
        ("train.weights", "params.yaml", "no such folder"),
        ("train.weights", "", "train.weights = ''"),
        ("train.weights", "Imagenet", "no such folder"),
        (
            "train.mode",
            "scratch",
            "train.head = 'ridge' needs finished features, which mode = 'scratch'",
        ),
        ("train.output", "coral", "train.output = 'coral' needs head = 'dense'"),
        ("train.output", "sigmoid", "train.output = 'sigmoid' needs head = 'dense'"),
        ("split.specimen", "_(specimen", "not a regular expression (missing ), unterminated subpattern"),
        ("split.specimen", "two\n(lines", "not a regular expression"),
        ("split.specimen", "specimen[0-9]+", "exactly one group in parentheses"),
        ("split.specimen", "(a)(b)", "exactly one group in parentheses"),
        ("binning.thresholds", [2.3, 3.1, 3.1, 3.7], "needs 4 that ascend strictly between 1 and 5"),
        ("split.validation", 0.8, "split.validation and test together must leave some for training"),
        ("split.soft_score.outside", "Clip", "'clip' or 'drop'"),
        ("train.head", "two\nlines", "'ridge' or 'dense'"),
        ("augment.fill", "mirror", "'constant', 'nearest', 'reflect' or 'wrap'"),
        ("augment.rotation", 20, "augment.rotation = 20: must be a section with probability, strength"),
    ],
)
def test_a_value_not_allowed_is_told_with_what_is(name, value, said):
    message = complaint(variant(name, value))
    assert said in message
    assert name.split(".")[-1] in message
    assert ": :" not in message and "-S =" not in message


def changed(**changes):
    """The values with several changed; `__` in a name stands for a dot."""
    raw = copy.deepcopy(RAW)
    for name, value in changes.items():
        section, last = holder(raw, name.replace("__", "."))
        section[last] = value
    return raw


# Values that do not go together.


@pytest.mark.parametrize(
    ("mode", "output"), [("scratch", "linear"), ("frozen", "coral"), ("fine_tune", "sigmoid")]
)
def test_the_dense_head_goes_with_every_mode_and_output(mode, output):
    check(changed(train__mode=mode, train__output=output, train__head="dense"))
    complaint(changed(train__mode=mode, train__output=output, train__head="ridge"))


@pytest.mark.parametrize("output", ["linear", "corn"])
def test_the_ridge_head_is_fine_tuned_too(output):
    assert check(changed(train__mode="fine_tune", train__output=output)).train.head == "ridge"


@pytest.mark.parametrize(
    "grades", [["defect", "good"], ["a", "b", "c"], [f"{age}s" for age in range(10, 70, 10)]]
)
def test_any_number_of_grades_needs_one_threshold_less_and_only_if_they_are_fixed(grades):
    labels = {"labels__grades": grades, "labels__sound": grades[1]}
    between = [number + 0.5 for number in range(1, len(grades))]
    check(changed(**labels, binning__thresholds=between))
    check(changed(**labels, binning__method="tuned"))
    best = len(grades)
    said = f"needs {best - 1} that ascend strictly between 1 and {best}, like {between}"
    assert said in complaint(changed(**labels))
    assert said in complaint(changed(**labels, binning__thresholds=[*between[:-1], best]))


def test_grades_are_numbered_from_the_worst():
    ages = check(changed(labels__grades=["10s", "20s", "30s"], labels__sound="30s", binning__method="tuned"))
    assert ages.labels.rating.names == ("10s", "20s", "30s")
    assert ages.labels.rating.numbers == (1, 2, 3)
    assert (ages.labels.rating.worst_sound, ages.labels.rating.highest) == (3, 3.0)


def test_whole_numbers_are_names_of_grades_too():
    """`dvc exp run -S labels.sound=2` writes a number."""
    raw = changed(labels__grades=[0, 1, 2], labels__sound=2, binning__method="tuned")
    raw["binning"]["correction"] = {"method": "measured", "above": 1, "within": 0.3}
    params = check(raw)
    assert params.labels.rating.names == ("0", "1", "2") and params.labels.rating.worst_sound == 3
    assert params.binning.correction.above == "1"


@pytest.mark.parametrize("above", ["5", "6", "good"])
def test_the_corrected_threshold_is_checked_only_if_there_is_a_correction(above):
    check(changed(binning__correction__above=above))
    message = complaint(changed(binning__correction__above=above, binning__correction__method="measured"))
    said = f"binning.correction.above = {above!r}: must be one of labels.grades, not the best: 1, 2, 3, 4; "
    assert message.startswith(f"params.yaml: {said}")


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in STANDARD])
def test_every_other_network_can_be_a_candidate_and_then_a_member(name):
    assert check(changed(candidates=[name], ensemble__members=[name])).networks == [*STANDARD, name]
    complaint(changed(ensemble__members=[name]))


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.smallest > 32])
def test_a_side_too_small_for_a_network_is_told_before_anything_starts(name):
    smallest = NETWORKS[name].smallest
    below = smallest // 32 * 32
    check(changed(augment__size=below))
    message = complaint(changed(augment__size=below, candidates=[name]))
    assert f"augment.size = {below}: {name} needs {smallest} pixels or more" in message
    check(changed(augment__size=below + 32, candidates=[name]))


def test_some_network_needs_more_than_the_smallest_side_and_some_is_our_own():
    assert any(network.smallest > 32 for network in NETWORKS.values())
    assert any(isinstance(network, Own) for network in NETWORKS.values())


def test_a_folder_of_weights_is_accepted_by_its_path_from_the_root(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "trained" / "重み").mkdir(parents=True)
    assert check(variant("train.weights", "trained/重み")).train.weights == "trained/重み"
    with pytest.raises(InputError, match="not an absolute path"):
        check(variant("train.weights", str(tmp_path / "trained")))
    (tmp_path / "file.h5").write_bytes(b"")
    with pytest.raises(InputError, match="no such folder"):
        check(variant("train.weights", "file.h5"))


@pytest.mark.parametrize("size", [100, 150, 240])
def test_sides_on_which_networks_would_lose_a_resolution_are_refused(size):
    with pytest.raises(InputError, match="multiple of 32"):
        check(variant("augment.size", size))


@pytest.mark.parametrize("text", ["1e-05", "1e-3", "1E-3", "25e-8", "0.00005", "5e-05"])
def test_a_number_is_read_as_dvc_writes_it(text):
    assert check(variant("train.learning_rate", read_yaml(text))).train.learning_rate == float(text)


@pytest.mark.parametrize("rate", [0.00001, 0.00005, 1e-9, 0.1])
@pytest.mark.parametrize("grades", [["no", "yes"], ["off", "on"], ["n", "y"], ["1e3", "0x10"], ["1:30", "~"]])
def test_what_an_experiment_sets_is_what_is_read(tmp_path, rate, grades):
    """Through `dvc exp run -S`, which rewrites the file as YAML 1.2."""
    file = tmp_path / "params.yaml"
    shutil.copyfile(SHIPPED, file)
    quoted = ",".join(f'"{name}"' for name in grades)
    apply_overrides(
        file,
        [f"train.learning_rate={rate:.9f}", f"labels.grades=[{quoted}]", f'labels.sound="{grades[1]}"'],
    )
    params = load(file)
    assert (params.train.learning_rate, params.labels.grades) == (rate, grades)
    assert params.labels.sound == grades[1]


@pytest.mark.parametrize("text", ["yes", "no", "on", "'true'"])
def test_a_word_of_yaml_1_1_is_not_true_or_false(text):
    message = complaint(variant("train.measured", read_yaml(text)))
    assert message.endswith("input should be a valid boolean; write true or false, without quotes")


def test_a_wrong_value_is_not_told_at_its_full_length():
    assert len(complaint(variant("train.epochs", "x" * 999))) < 400


BOMB = b"a: &a [x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefghijklmn"
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"split: [1, 2", "line 1, column 13: not YAML: expected ',' or ']'", id="unclosed list"),
        pytest.param(b"split:\n\tseed: 1\n", "line 2, column 1: not YAML: a tab", id="tab"),
        pytest.param(b"a: 1\nb: \x07\n", "line 2, column 4: not YAML: special", id="control character"),
        pytest.param(b"a: 1\n---\nb: 2\n", "line 2, column 1: not YAML: found another", id="two documents"),
        pytest.param(
            b"a: 1\nb: 2\na: 3\n", 'line 3, column 1: not YAML: found duplicate key "a"', id="twice"
        ),
        pytest.param(
            b"? {a: 1}\n: 2", "line 1, column 3: not YAML: found unhashable", id="section as a name"
        ),
        pytest.param(b"<<<<<<< HEAD\na: 1\n=======\n", "line 2, column 2: not YAML", id="conflict marks"),
        pytest.param(b"seed: 2026-13-45\n", "line 1, column 7: 2026-13-45 is a date", id="impossible date"),
        pytest.param(b"seed: 2026-12-31\n", "line 1, column 7: 2026-12-31 is a date", id="date"),
        pytest.param(b"a: !!python/name:os.system 1\n", "line 1, column 4: a tag, tag:yaml.org", id="tag"),
        pytest.param(b"a: &x 1\nb: *x\n", "line 2, column 4: an alias, *x; write the value", id="alias"),
        pytest.param(BOMB, "line 2, column 8: an alias, *a; write", id="a billion laughs"),
        pytest.param(b"[" * 10_000, "line 1, column 21: more than 20 levels", id="ten thousand levels"),
        pytest.param(b"- " * 10_000, "line 1, column 41: more than 20 levels", id="as many of lists"),
        pytest.param(
            b"seed: " + b"9" * 5000, "line 1, column 7: a value of 5000 characters", id="5000 digits"
        ),
        pytest.param(b"#" * 60_000, "60000 characters, 50000 at most", id="large"),
        pytest.param("a: 1\n# 錆\n".encode("shift-jis"), "line 2: not UTF-8; save", id="Shift-JIS"),
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
    assert re.match(r"params.yaml: \S", str(caught.value).removeprefix(f"{tmp_path}/"))
    assert len(str(caught.value).splitlines()) == 1


@given(st.one_of(st.text(), st.text("ab01:-?[]{}&*!|>'\"%@#, \t\n~<=.e"), st.binary()))
@settings(max_examples=300)
def test_whatever_the_file_holds_it_is_read_or_told_in_one_line(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "params.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError) as caught:
        load(file)
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


def test_parameters_reach_another_process_as_they_are():
    chosen = load(SHIPPED)
    assert pickle.loads(pickle.dumps(chosen)) == chosen
