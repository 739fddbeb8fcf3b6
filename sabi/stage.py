"""How every stage starts: check all parameters, run, turn bad input into one line."""

import os
import sys
from collections.abc import Callable

from sabi.runtime.errors import InputError
from sabi.runtime.machine import check_machine
from sabi.settings.loading import load
from sabi.settings.params import Params
from sabi.tracking.results import record_failure
from sabi.tracking.store import reason


def run(main: Callable[[Params], None]) -> None:
    """Run a stage's `main` with the checked parameters of `params.yaml` in this folder.

    Exits with 1 and one line on standard error for an `InputError`, with 130
    when interrupted. Why a DVC experiment failed is recorded in MLflow, too.
    """
    checked = None
    try:
        check_machine()
        checked = load()
        main(checked)
    except BaseException as error:
        if "DVC_EXP_NAME" in os.environ:
            record(error, checked)
        if isinstance(error, InputError):
            sys.exit(f"error: {error}")
        if isinstance(error, KeyboardInterrupt):
            print("interrupted: run the same command again to continue at this stage", file=sys.stderr)
            sys.exit(130)
        raise


def record(error: BaseException, checked: Params | None) -> None:
    """Record in MLflow why an experiment failed; say so if that fails as well, but raise nothing."""
    try:
        record_failure(error, checked)
    except (Exception, KeyboardInterrupt) as trouble:
        print(f"not recorded in MLflow: {reason(trouble)}", file=sys.stderr)
