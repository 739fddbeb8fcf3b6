"""Section `labels`: where grades are read from, and what they are called."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from sabi.grades import Grades
from sabi.names import normal
from sabi.settings.section import Section, as_name, as_spelled_name


class Labels(Section):
    source: Literal["name", "folder", "csv"]
    grades: Annotated[list[str], Field(min_length=2, max_length=100)]
    sound: str

    @pydantic.field_validator("grades", mode="before")
    @classmethod
    def _as_text(cls, grades: Any) -> Any:
        return [as_name(name) for name in grades] if isinstance(grades, list) else grades

    @pydantic.field_validator("sound", mode="before")
    @classmethod
    def _sound_as_text(cls, sound: Any) -> Any:
        return as_spelled_name(sound)

    @pydantic.field_validator("grades")
    @classmethod
    def _distinct_names(cls, grades: list[str]) -> list[str]:
        spelled = [normal(name) for name in grades]
        for name, seen in zip(grades, spelled, strict=True):
            one_line = name == name.strip() and len(name.splitlines()) == 1
            if not one_line or not seen or "/" in seen or not seen.isprintable():
                raise ValueError(
                    f"{name!r} is no name of a grade: one line, not empty, no '/', no space at either end"
                )
        if len(set(spelled)) < len(spelled):
            raise ValueError("names a grade twice, as a reader sees it")
        return spelled

    @pydantic.model_validator(mode="after")
    def _sound_is_a_grade(self) -> "Labels":
        if self.sound not in self.grades[1:]:
            raise ValueError(
                f"sound = {self.sound!r} must be one of labels.grades, not the worst: "
                f"{', '.join(self.grades[1:])}"
            )
        return self

    @property
    def rating(self) -> Grades:
        """The grades and where soundness begins."""
        names = tuple(self.grades)
        return Grades(names, names.index(self.sound) + 1)
