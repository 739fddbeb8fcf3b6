"""The stages that `dvc.yaml` runs, one script each: `python -m stages.<name>`.

Importing this package pins the processor's instruction set and the threads
before any stage's own imports, whatever their order. In a stage's own process
it also sees to it that Ctrl-C during these imports, which take seconds, ends in
one line, and that the stage does not outlive DVC.
"""

import os
import sys

from sabi.runtime.interruption import end_at_once, end_with_dvc

ITSELF = sys.argv[0] == "-m"  # while Python looks for the module of `python -m`
if ITSELF:
    end_at_once()  # until `sabi.stage.run` begins

from sabi.runtime.determinism import pin_environment  # noqa: E402

pin_environment()
if ITSELF and "DVC_STAGE" in os.environ:
    end_with_dvc()
