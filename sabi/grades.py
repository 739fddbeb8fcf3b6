"""The ordered grades of a rating, numbered from 1, the worst.

The default five are the visual rating of weathering steel (JSSC Technical
Report 86); `labels.grades` names others.
"""

from dataclasses import dataclass

LOWEST = 1.0


@dataclass(frozen=True)
class Grades:
    """`names`, worst first, and the number of the worst grade that is still sound."""

    names: tuple[str, ...]
    worst_sound: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """1 to the number of grades."""
        return tuple(range(1, len(self.names) + 1))

    @property
    def highest(self) -> float:
        """The highest score."""
        return float(len(self.names))
