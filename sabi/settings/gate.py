"""Section `gate`: by which rules a change is judged."""

from typing import Annotated, Literal

from pydantic import Field

from sabi.settings.section import Section


class Rule(Section):
    better: Literal["higher", "lower"]
    tolerated: Annotated[float, Field(ge=0)] | None
    significant: bool


class Rules(Section):
    accuracy: Rule
    kappa: Rule
    mae: Rule
    mae_grade: Rule
    within_one: Rule
    macro_f1: Rule
    sensitivity: Rule
    specificity: Rule
    coverage: Rule
    set_size: Rule
    look: Rule


class Gate(Section):
    test_photographs: Literal["same", "common"]
    rules: Rules
