"""How every stage starts: check all parameters, run, turn bad input into one line."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sabi.runtime.errors import InputError, NoSpace, lacks_space
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
    try:
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        check_machine()
        checked = load()
        if "DVC_STAGE" in os.environ:  # started by hand, a stage takes what lies there
            check_inputs(os.environ["DVC_STAGE"], checked.candidates)
        main(checked)
    except BaseException as error:
        if "DVC_EXP_NAME" in os.environ:
            record(error, checked)
        if lacks_space(error) and not isinstance(error, NoSpace):
            error = NoSpace(Path(), bytes_written(os.environ.get("DVC_STAGE", "")))
        if isinstance(error, InputError):
            sys.exit(f"error: {error}")
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # threads end now, undisturbed
            print(CONTINUE, file=sys.stderr)
            sys.exit(INTERRUPTED)
        raise


def record(error: BaseException, checked: Params | None) -> None:
    """Record in MLflow why an experiment failed; say so if that fails as well, but raise nothing."""
    try:
        record_failure(error, checked)
    except (Exception, KeyboardInterrupt) as trouble:
        print(f"not recorded in MLflow: {reason(trouble)}", file=sys.stderr)
