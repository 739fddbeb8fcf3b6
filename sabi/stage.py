"""How every stage starts: check all parameters, run, turn bad input into one line."""

import sys
from collections.abc import Callable

from sabi import params
from sabi.determinism import check_machine
from sabi.errors import InputError


def run(main: Callable[[params.Params], None]) -> None:
    """Run a stage's `main` with the checked parameters of `params.yaml` in this folder.

    Exits with 1 and one line on standard error for an `InputError`, with 130
    when interrupted.
    """
    try:
        check_machine()
        main(params.load())
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue at this stage", file=sys.stderr)
        sys.exit(130)
