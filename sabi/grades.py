"""The ordered grades of a rating, counted from 1, the worst, and the scale of their scores.

The default five are the visual rating of weathering steel (JSSC Technical
Report 86); `labels.grades` names others. Code counts grades by their position,
and its scores are on that scale; files, pages and messages give names, and
scores on the scale of the names. For the default five both are the same.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sabi.names import as_number

LOWEST = 1.0


@dataclass(frozen=True)
class Grades:
    """`names`, worst first, and the number of the worst grade that is still sound."""

    names: tuple[str, ...]
    worst_sound: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """1 to the number of grades: their positions."""
        return tuple(range(1, len(self.names) + 1))

    @property
    def highest(self) -> float:
        """The highest score by position."""
        return float(len(self.names))

    @property
    def border(self) -> str:
        """The names of the grades on both sides of the border to sound, as "2|3"."""
        return "|".join(self.names[self.worst_sound - 2 : self.worst_sound])

    @property
    def scale(self) -> tuple[float, ...]:
        """The score shown for each grade: its name if all are numbers that ascend, else its position."""
        named = [as_number(name) for name in self.names]
        numbers = [number for number in named if number is not None and math.isfinite(number)]
        ascend = all(low < high for low, high in itertools.pairwise(numbers))
        return tuple(numbers if ascend and len(numbers) == len(named) else map(float, self.numbers))

    def shown(self, scores: Sequence[float] | np.ndarray) -> np.ndarray:
        """Scores (n,) by position on the `scale` that people see, straight between neighbouring grades."""
        return self._moved(scores, self.numbers, self.scale)

    def by_position(self, shown: Sequence[float] | np.ndarray) -> np.ndarray:
        """Scores (n,) by position from those on the `scale` that people see."""
        return self._moved(shown, self.scale, self.numbers)

    def _moved(self, scores: Sequence[float] | np.ndarray, old: Sequence, new: Sequence) -> np.ndarray:
        values = np.asarray(scores, float)
        # Interpolation would change the last bit where nothing is to be changed.
        return values if tuple(old) == tuple(new) else np.interp(values, old, new)
