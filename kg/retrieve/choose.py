"""Which seeds and concepts a subgraph has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.seeds import Start
from kg.vocabulary import Category

_SHARES = {"live": 0.46, "unexplained": 0.05, "denied": 0.08}
"""Of the nodes, for seeds of each kind; what is left goes to terms on paths and to what likely diseases would show."""
FILL = {Category.PHENOTYPE: 64, Category.DRUG: 4, Category.PROCEDURE: 3, Category.EXPOSURE: 4}
"""How many concepts of each category the free places may go to."""
_LOOKED_AT = 96
"""Concepts that are sorted for the free places at first; all of them where that was not enough."""


@dataclass(slots=True)
class Voice:
    """A seed with what retrieval knows of it, whoever the patient.

    Attributes:
        start: the seed.
        place: of its concept.
        number: of the seed among all that were met.
        entry: of its paths in the `PathTable`.
        says: the best score of its paths; -1 where it has none.
        denied: sort key among denied findings; None for others.
        order: as `Start.order`.
    """

    start: Start
    place: int
    number: int
    entry: int
    says: float
    denied: tuple[bool, float, str] | None
    order: tuple[float, str]


def choose_seeds(voices: Sequence[Voice], nodes: int) -> list[Voice]:
    """Choose seeds: those that say most of a candidate, some that no candidate explains, some that are denied.

    Args:
        voices: a patient's, the heaviest first.
        nodes: the most concepts of a subgraph.
    """
    live = [voice for voice in voices if voice.denied is None]
    denied = [voice for voice in voices if voice.denied is not None]
    linked = [voice for voice in live if voice.says >= 0]
    room, other = int(_SHARES["live"] * nodes), len(live) - len(linked)
    spare = max(int(_SHARES["unexplained"] * nodes), room - len(linked))
    kept = room - min(other, spare)
    if other > spare or len(linked) > kept:
        best = {voice.place for voice in sorted(linked, key=lambda v: (-v.says, v.order[1]))[:kept]}
        best.update([voice.place for voice in live if voice.says < 0][:spare])
        live = [voice for voice in live if voice.place in best]
    # Of what is denied, the most specific terms and those nearest to a candidate say most.
    denied.sort(key=_denied)
    return live + denied[: int(_SHARES["denied"] * nodes)]


def _denied(voice: Voice) -> tuple[bool, float, str]:
    return voice.denied or (False, 0.0, "")


def choose_typed(
    candidates: Sequence[int],
    seeds: Iterable[Voice],
    paths: Iterable[tuple[int, ...]],
    visited: Iterable[int],
    categories: Sequence[Category],
    nodes: int,
) -> list[int]:
    """Choose nodes: candidates, seeds, what lies on the best paths, then what the walk visits most.

    Free places go only to concepts that a statement about a candidate names: what the likely diseases would show.

    Args:
        candidates: places.
        seeds: chosen ones.
        paths: the places on each path, best path first.
        visited: places that may fill up, the most visited first.
        categories: of all places.
        nodes: the most to choose.
    """
    chosen = dict.fromkeys(candidates)
    for voice in seeds:
        if len(chosen) < nodes:
            chosen.setdefault(voice.place)
    for path in paths:
        new = [place for place in path if place not in chosen]
        if new and len(chosen) + len(new) <= nodes:
            chosen.update(dict.fromkeys(new))
            if len(chosen) == nodes:
                return list(chosen)
    left = dict(FILL)
    for place in visited:
        if len(chosen) >= nodes:
            break
        category = categories[place]
        if place not in chosen and left.get(category, 0) > 0:
            left[category] -= 1
            chosen[place] = None
    return list(chosen)


def most_visited_first(visits: NDArray[np.float64], places: Sequence[int]) -> Iterator[Iterator[int]]:
    """Give for each patient the visited concepts, the most visited first; of equal ones the first column.

    Args:
        visits: shape ``(patients, columns)``.
        places: of each column.
    """
    patients, columns = visits.shape
    if columns > _LOOKED_AT:
        least = np.partition(visits, columns - _LOOKED_AT, axis=1)[:, columns - _LOOKED_AT]
        mask = (visits >= least[:, None]) & (visits > 0)
    else:
        mask = visits > 0
    who, which = np.nonzero(mask)
    order = np.lexsort((-visits[who, which], who))
    found = which[order].tolist()
    ends = np.cumsum(np.bincount(who, minlength=patients)).tolist()
    begin = 0
    for patient, end in enumerate(ends):
        yield _rest(visits[patient], found[begin:end], places)
        begin = end


def _rest(visits: NDArray[np.float64], first: Sequence[int], places: Sequence[int]) -> Iterator[int]:
    for column in first:
        yield places[column]
    told = set(first)
    for column in np.argsort(-visits, kind="stable").tolist():
        if visits[column] <= 0:
            return
        if column not in told:
            yield places[column]
