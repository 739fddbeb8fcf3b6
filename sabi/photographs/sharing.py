"""Sharing specimens out so that no partition lacks a grade.

Each specimen's partition is drawn by its name and the seed alone. Only where a
grade with specimens enough would be missing in a partition, or in a fold, some
of its specimens are moved there: the fewest that suffice, lowest in a draw of
their own.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

from sabi.photographs.partition import PARTITIONS, partition_at, partition_of, place_of
from sabi.runtime.draws import uniform
from sabi.settings.split import Split

Part = TypeVar("Part", bound=Hashable)
Need = tuple[int, Part]  # a grade, and where it must not be missing

# Moves tried before it counts as impossible, which it is only where specimens hold several grades.
MOST_TRIES = 5000


def specimens_needed(folds: int) -> int:
    """How many specimens of a grade are enough for each partition, in each of the folds, to have one."""
    # Of two folds one is for testing, and the other must have one to train on and one to validate.
    return {1: 3, 2: 4}.get(folds, folds)


def share_out(
    grades: Mapping[str, Collection[int]], trained: Mapping[str, Collection[int]], chosen: Split
) -> dict[str, str]:
    """The partition of every specimen.

    `grades` are those of each specimen's photographs, `trained` those of which
    it has photographs that training would use. Every grade with
    `specimens_needed` is in all partitions, in each fold, unless specimens that
    hold several grades make that impossible: then all stay as drawn. A
    specimen is tested in exactly one fold, the same whatever `fold` is.
    """
    held = Counter(grade for of in grades.values() for grade in of)
    enough = sorted(grade for grade in held if held[grade] >= specimens_needed(chosen.folds))

    def holders(grade: int, part: str) -> set[str]:
        source = trained if part == "train" else grades
        return {specimen for specimen in grades if grade in source[specimen]}

    if chosen.folds == 1:
        drawn = {
            name: partition_of(name, seed=chosen.seed, validation=chosen.validation, test=chosen.test)
            for name in grades
        }
        needs = {(grade, part): holders(grade, part) for grade in enough for part in PARTITIONS}
        return covered(drawn, needs, chosen.seed)

    places = {name: place_of(name, chosen.seed, chosen.folds) for name in grades}
    folds = {name: int(place) for name, place in places.items()}
    in_folds = {(grade, fold): holders(grade, "test") for grade in enough for fold in range(chosen.folds)}
    moved = covered(folds, in_folds, chosen.seed, least=2 if chosen.folds == 2 else 1)
    # To the middle of the other fold, where no rounding leads out of it.
    places |= {name: fold + 0.5 for name, fold in moved.items() if fold != folds[name]}
    drawn = {
        name: partition_at(
            place,
            validation=chosen.validation,
            test=chosen.test,
            folds=chosen.folds,
            fold=chosen.fold,
        )
        for name, place in places.items()
    }
    others = {name: part for name, part in drawn.items() if part != "test"}
    needs = {
        (grade, part): holders(grade, part) & others.keys()
        for grade in enough
        for part in ("train", "validation")
    }
    return drawn | covered(others, needs, chosen.seed)


def covered(
    drawn: Mapping[str, Part], needs: Mapping[Need, Collection[str]], seed: int, least: int = 1
) -> dict[str, Part]:
    """`drawn` with specimens moved so that each need is met: a grade has `least` of its holders in a part.

    `needs` has the specimens that hold the grade there. Nothing moves if all
    needs are met, and everything stays as drawn if no moves are found that
    meet them. Looks for moves that leave no other need unmet first, and goes
    back where they lead nowhere, so that small cases are searched through.
    """
    at = dict(drawn)
    wanted: dict[str, list[Need]] = {name: [] for name in drawn}
    for need, names in needs.items():
        for name in names:
            wanted[name].append(need)
    met = Counter(need for need, names in needs.items() for name in names if at[name] == need[1])

    def move(name: str, part: Part) -> None:
        for need in wanted[name]:
            met[need] += (need[1] == part) - (need[1] == at[name])
        at[name] = part

    def unmet() -> Need | None:
        """The need with fewest specimens to meet it; the first of several."""
        return min((n for n in needs if met[n] < least), key=lambda n: len(needs[n]), default=None)

    def candidates(need: Need) -> list[tuple[str, Part]]:
        def order(name: str) -> tuple[int, float, str]:
            spoilt = sum(n[1] == at[name] and met[n] == least for n in wanted[name])
            return spoilt, uniform("moved", seed, need[1], name), name

        moved = {name for name, _ in made}
        free = [name for name in needs[need] if at[name] != need[1] and name not in moved]
        return [(name, need[1]) for name in sorted(free, key=order, reverse=True)]

    made: list[tuple[str, Part]] = []  # moves, with where each specimen was
    left: list[list[tuple[str, Part]]] = []  # moves not tried yet, the next one last, before each
    tries = 0
    while (gap := unmet()) is not None:
        left.append(candidates(gap))
        while left and not left[-1]:
            left.pop()
            if made:
                move(*made.pop())
        tries += 1
        if not left or tries > MOST_TRIES:
            return dict(drawn)
        name, part = left[-1].pop()
        made.append((name, at[name]))
        move(name, part)
    return at
