"""How stages start: pinned, without TensorFlow if it is not needed, bad input in one line."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sabi import stage
from sabi.runtime.determinism import PINNED
from sabi.runtime.errors import InputError, NoSpace
from sabi.settings.loading import load
from tests.conftest import ROOT

SCRIPTS = ["split", "augment", "train mobilenet", "ensemble", "binning", "evaluate", "report"]


@pytest.fixture(autouse=True)
def keep_ctrl_c():
    """A stage that has been interrupted ignores it from then on; pytest must not."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def python(*arguments: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def check_one_line(ended: subprocess.CompletedProcess) -> None:
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1 and ended.stderr.endswith("\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_stage_refuses_a_misspelt_parameter_of_any_stage_before_all_work(tmp_path, script):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert text.count("\n  worst:") == 1
    (tmp_path / "params.yaml").write_text(text.replace("\n  worst:", "\n  wurst:"), encoding="utf-8")
    ended = python("-m", *f"stages.{script}".split(), folder=tmp_path)
    check_one_line(ended)
    assert ended.stderr == "error: params.yaml: report.wurst is not a parameter; did you mean worst?\n"
    assert ended.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "params.yaml: no such file"),
        (b"split: [1", "params.yaml: line 1, column 10: not YAML"),
        (b"", "params.yaml"),
        ("# 錆".encode("shift_jis"), "params.yaml"),
    ],
    ids=["missing", "not YAML", "empty", "not UTF-8"],
)
def test_a_broken_parameter_file_is_one_line_that_names_it(tmp_path, content, named):
    if content is not None:
        (tmp_path / "params.yaml").write_bytes(content)
    ended = python("-m", "stages.split", folder=tmp_path)
    check_one_line(ended)
    assert ended.stderr.startswith(f"error: {named}")


def test_bad_input_found_by_the_work_itself_ends_in_one_line_too(tmp_path):
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    ended = python("-m", "stages.split", folder=tmp_path)
    assert ended.returncode == 1
    # What is above it is the progress bar.
    assert ended.stderr.splitlines()[-1].startswith("error: data/raw: no usable photographs")
    assert "Traceback" not in ended.stderr


def test_a_stage_gets_the_checked_parameters(monkeypatch):
    monkeypatch.chdir(ROOT)
    got = []
    stage.run(got.append)
    assert got == [load(ROOT / "params.yaml")]


@pytest.mark.parametrize(
    ("raised", "ends", "code"),
    [
        (InputError("data/raw: wrong"), SystemExit, "error: data/raw: wrong"),
        (KeyboardInterrupt(), SystemExit, 130),
        (ValueError("a mistake of the program's"), ValueError, None),
    ],
)
def test_only_bad_input_and_interrupts_are_turned_into_exits(monkeypatch, capsys, raised, ends, code):
    def main(_):
        raise raised

    monkeypatch.chdir(ROOT)
    with pytest.raises(ends) as caught:
        stage.run(main)
    assert getattr(caught.value, "code", None) == code
    assert capsys.readouterr().err.startswith("interrupted" if code == 130 else "")


def test_ctrl_c_that_an_import_turned_into_its_own_error_is_one_all_the_same(monkeypatch, capsys):
    """As SciPy's extensions do."""

    def main(_):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise ImportError("initialization failed") from interrupt

    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as caught:
        stage.run(main)
    assert caught.value.code == 130 and capsys.readouterr().err.startswith("interrupted: ")


@pytest.mark.parametrize(("ignored", "code"), [(False, -signal.SIGINT), (True, 0)])
def test_ctrl_c_while_a_stage_ends_is_not_lost(ignored, code):
    """Python would no longer heed it, and DVC would go on with the next stage."""
    ends = "import atexit, os, time; atexit.register(lambda: (os.kill(os.getpid(), 2), time.sleep(0.1)))"
    handler = "SIG_IGN" if ignored else "default_int_handler"
    code_run = f"import signal; signal.signal(2, signal.{handler}); {ends}; "
    code_run += "from sabi import stage; stage.run(lambda _: None)"
    assert python("-c", code_run).returncode == code


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> Path:
    """The working directory of a stage in a DVC experiment, a repository without a store."""
    (tmp_path / ".dvc").mkdir()
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    for name in list(os.environ):
        if name.startswith(("GIT_", "DVC_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_EXP_NAME", "rusty-hinge")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123abc")
    monkeypatch.setenv("DVC_STAGE", "split")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_and_raise(error: BaseException) -> None:
    def main(_):
        raise error

    stage.run(main)


@pytest.mark.slow
def test_why_an_experiment_failed_is_in_mlflow_and_it_ends_as_any_stage(experiment, capsys):
    from mlflow import MlflowClient

    for error, ends in (
        (InputError("data/raw: wrong"), SystemExit),
        (ValueError("a mistake of the program's"), ValueError),
        (KeyboardInterrupt(), SystemExit),
    ):
        with pytest.raises(ends) as caught:
            run_and_raise(error)
        assert caught.value is error or caught.value.code in ("error: data/raw: wrong", 130)
    (experiment / "params.yaml").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit):
        run_and_raise(ValueError("not come to"))
    assert capsys.readouterr().err == "interrupted: run the same command again to continue at this stage\n"

    store = MlflowClient(f"sqlite:///{experiment / 'mlflow.db'}")
    runs = store.search_runs([store.get_experiment_by_name("sabi").experiment_id])
    seen = [(run.info.status, run.data.tags["sabi.error"]) for run in reversed(runs)]
    assert seen[:3] == [
        ("FAILED", "data/raw: wrong"),
        ("FAILED", "ValueError: a mistake of the program's"),
        ("KILLED", "KeyboardInterrupt"),
    ]
    assert seen[3][0] == "FAILED" and seen[3][1].startswith("params.yaml: ")
    for run in runs:
        assert (run.info.run_name, run.data.tags["sabi.stage"]) == ("rusty-hinge", "split")
    assert [bool(run.data.params) for run in reversed(runs)] == [True, True, True, False]


@pytest.mark.slow  # loading MLflow
@pytest.mark.parametrize(
    ("error", "ends"), [(InputError("data/raw: wrong"), SystemExit), (ValueError("a mistake"), ValueError)]
)
def test_trouble_with_mlflow_does_not_hide_why_an_experiment_failed(
    experiment, monkeypatch, capsys, error, ends
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "rust://127.0.0.1")
    with pytest.raises(ends) as caught:
        run_and_raise(error)
    assert caught.value is error or caught.value.code == "error: data/raw: wrong"
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("not recorded in MLflow: MLflow's store rust://127.0.0.1 cannot be used")


def test_a_stage_that_fails_outside_an_experiment_records_nothing(experiment, monkeypatch):
    monkeypatch.delenv("DVC_EXP_NAME")
    with pytest.raises(SystemExit):
        run_and_raise(InputError("data/raw: wrong"))
    assert sorted(path.name for path in experiment.iterdir()) == [".dvc", "params.yaml"]


def test_a_stage_that_succeeds_in_an_experiment_does_not_load_mlflow(experiment):
    code = "import sys; from sabi import stage; stage.run(lambda _: None); print('mlflow' in sys.modules)"
    ended = python("-c", code, folder=experiment)
    assert (ended.stdout, ended.stderr) == ("False\n", "")


def test_no_stage_but_train_loads_tensorflow_to_start():
    modules = [f"stages.{script}" for script in SCRIPTS if not script.startswith("train")]
    code = "import importlib, sys\nfor module in sys.argv[1:]:\n    importlib.import_module(module)\n"
    code += "    print(module, 'tensorflow' in sys.modules or 'keras' in sys.modules)"
    ended = python("-c", code, *modules)
    assert ended.stdout.splitlines() == [f"{module} False" for module in modules], ended.stderr


def test_the_pinned_environment_overrides_the_users_values():
    code = "import stages, json, os; print(json.dumps(dict(os.environ)))"
    ended = python("-c", code, **dict.fromkeys(PINNED, "8"), TF_NUM_INTRAOP_THREADS="3")
    seen = json.loads(ended.stdout)
    assert {name: seen[name] for name in PINNED} == PINNED
    assert (seen["OPENBLAS_NUM_THREADS"], seen["CUDA_VISIBLE_DEVICES"]) == ("1", "-1")
    assert seen["TF_NUM_INTRAOP_THREADS"] == "3"
    assert ended.stderr == ""


def test_it_is_told_when_numpy_was_loaded_before_the_pins():
    code = "import numpy, stages"
    assert "RuntimeWarning: numpy was imported before" in python("-c", code, OMP_NUM_THREADS="8").stderr
    assert python("-c", code).stderr == "", "settings that are right already need no warning"


def test_file_names_that_are_not_utf8_stop_a_stage_with_the_way_out(tmp_path):
    """As under a locale like ja_JP.EUC-JP."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    code = (
        "import sys; sys.getfilesystemencoding = lambda: 'euc_jp'; import runpy; "
        "runpy.run_module('stages.split', run_name='__main__')"
    )
    ended = python("-c", code, folder=tmp_path)
    check_one_line(ended)
    assert "run `export PYTHONUTF8=1` first" in ended.stderr


@pytest.mark.parametrize(("wanted", "threads"), [("3", 3), ("0", None), ("", None)])
def test_threads_are_those_wished_for_or_the_cores_that_may_be_used(wanted, threads):
    code = "from sabi.runtime.determinism import THREADS; print(THREADS)"
    printed = python("-c", code, TF_NUM_INTRAOP_THREADS=wanted).stdout
    assert int(printed) == (threads or len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("wish", ["two", "-3", "1.5"])
def test_a_wish_for_threads_that_is_no_number_is_told_with_the_way_out(tmp_path, wish):
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    ended = python("-m", "stages.ensemble", folder=tmp_path, TF_NUM_INTRAOP_THREADS=wish)
    check_one_line(ended)
    assert f"TF_NUM_INTRAOP_THREADS = '{wish}'" in ended.stderr and "unset it" in ended.stderr


def test_a_full_disk_ends_a_stage_in_one_line_that_says_what_is_needed(experiment, monkeypatch, capsys):
    monkeypatch.delenv("DVC_EXP_NAME")
    lock = {"outs": [{"path": "out", "md5": "0", "size": 3 * 2**20}]}
    (experiment / "dvc.lock").write_text(json.dumps({"stages": {"split": lock}}))
    (experiment / "dvc.yaml").write_text(json.dumps({"stages": {"split": {"deps": []}}}))
    with pytest.raises(SystemExit) as caught:
        run_and_raise(OSError(errno.ENOSPC, "No space left on device"))
    line = caught.value.code
    assert line.startswith(f"error: no space left on the disk of {experiment}: ") and "\n" not in line
    assert line.endswith("MB free, needs about 6 MB; make room there and run the same command again")
    with pytest.raises(SystemExit, match="needs about 7 MB"):
        run_and_raise(NoSpace(experiment, 7 * 2**20))


def test_a_damaged_input_ends_a_stage_that_dvc_started(experiment, monkeypatch):
    monkeypatch.delenv("DVC_EXP_NAME")
    out = {"path": "made", "md5": "d3b07384d113edec49eaa6238ad5ff00", "size": 4}  # of "foo\n"
    stages = {"made": {"outs": [out]}, "split": {}}
    (experiment / "dvc.lock").write_text(json.dumps({"stages": stages}))
    (experiment / "dvc.yaml").write_text(json.dumps({"stages": {"made": {}, "split": {"deps": ["made"]}}}))
    (experiment / "made").write_text("foo\n")
    stage.run(lambda _: None)
    (experiment / "made").write_text("fop\n")
    with pytest.raises(SystemExit, match="error: made: damaged, it is not what the stage made made"):
        stage.run(lambda _: None)
    monkeypatch.delenv("DVC_STAGE")
    stage.run(lambda _: None)  # by hand
