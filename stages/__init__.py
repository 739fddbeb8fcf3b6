"""The stages that `dvc.yaml` runs, one script each: `python -m stages.<name>`.

Importing this package pins the processor's instruction set and the threads
before any stage's own imports, whatever their order.
"""

from sabi.runtime.determinism import pin_environment

pin_environment()
