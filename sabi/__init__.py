"""sabi (錆, rust): what the stages of the grading pipeline share."""

from sabi.runtime.determinism import pin_environment

pin_environment()
