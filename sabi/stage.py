"""How every stage starts: check all parameters, run, turn bad input into one line."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sabi.runtime.errors import InputError, NoSpace, lacks_space, reasons
from sabi.runtime.interruption import CONTINUE, INTERRUPTED
from sabi.runtime.machine import check_machine
from sabi.runtime.outputs import bytes_written, check_inputs
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.tracking.results import record_failure
from sabi.tracking.store import reason


def run(main: Callable[[Params], None]) -> None:
    """Run a stage's `main` with the checked parameters of `params.yaml` in this folder.

    Exits with 1 and one line on standard error for an `InputError` or a full disk, with 130
    when interrupted. Why a DVC experiment failed is recorded in MLflow, too.
    """
    checked = None
    heeded = signal.getsignal(signal.SIGINT) != signal.SIG_IGN  # it is not, in a shell's background
    try:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        check_machine()
        checked = load()
        if "DVC_STAGE" in os.environ:  # started by hand, a stage takes what lies there
            check_inputs(os.environ["DVC_STAGE"], checked.candidates)
        main(checked)
        if heeded:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C while Python ends would be lost
    except BaseException as error:
        if "DVC_EXP_NAME" in os.environ:
            record(error, checked)
        # What is being imported may turn it into an error of its own.
        if any(isinstance(each, KeyboardInterrupt) for each in reasons(error)):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # threads end now, undisturbed
            print(CONTINUE, file=sys.stderr)
            sys.exit(INTERRUPTED)
        if lacks_space(error) and not isinstance(error, NoSpace):
            error = NoSpace(Path(), bytes_written(os.environ.get("DVC_STAGE", "")))
        if isinstance(error, InputError):
            sys.exit(f"error: {error}")
        raise


def record(error: BaseException, checked: Params | None) -> None:
    """Record in MLflow why an experiment failed; say so if that fails as well, but raise nothing."""
    try:
        record_failure(error, checked)
    except (Exception, KeyboardInterrupt) as trouble:
        print(f"not recorded in MLflow: {reason(trouble)}", file=sys.stderr)
