"""The stages that `dvc.yaml` runs, one script each: `python -m stages.<name>`.

Importing `sabi` here pins the processor's instruction set and the threads
before any stage's own imports, whatever their order.
"""

import sabi  # noqa: F401
