"""Typed paths of many patients as columns: all of them, the best, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.evidence import UNDERLYING
from kg.retrieve.path_store import METAS, PathStore
from kg.retrieve.paths import rounded
from kg.retrieve.snapshot import ranges

MAX_PATHS = 24
"""Paths kept for each candidate."""
_EACH = 2
"""Paths kept for each seed and candidate."""
_STRONG_SEEDS = 2
_STRONG_SHARE = 0.5
_DIGITS = 1e6
"""Scores are multiples of a millionth."""
_MOST = 2**62

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of patients, each column of shape ``(p,)``.

    Attributes:
        patient: number of the patient, ascending.
        key: as `PathStore` has it.
        template: number in the `PathStore`.
        score: as `EvidencePath.score`.
    """

    patient: Ints
    key: Ints
    template: Ints
    score: NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of paths."""
        return len(self.patient)

    @property
    def meta(self) -> Ints:
        """Index into `META_PATHS` of each path."""
        return self.key % METAS

    def take(self, chosen: NDArray[np.bool_] | Ints) -> Paths:
        """Give some of the paths."""
        return Paths(self.patient[chosen], self.key[chosen], self.template[chosen], self.score[chosen])


def candidates_of(paths: Paths, store: PathStore) -> Ints:
    """Give the index of each path's candidate."""
    return paths.key // (METAS * len(store.ids))


def all_paths(store: PathStore, count: int, patients: Ints, entries: Ints) -> Paths:
    """Give all typed paths of patients, each patient's best first.

    Args:
        store: where the seeds' paths are held.
        count: the number of patients.
        patients: the patient of each seed, ascending, shape ``(s,)``.
        entries: from `PathStore.entry`, shape ``(s,)``; a patient's in one order for all (sums depend on it).
    """
    rows = store.rows.of(entries)
    direct = Paths(
        np.repeat(patients, store.rows.lengths(entries)),
        store.key.values[rows],
        store.template.values[rows],
        store.score.values[rows],
    )
    direct = direct.take(_order(direct, store))
    more = _underlying(store, direct, *_strong(store, count, patients, entries))
    found = Paths(
        np.concatenate([direct.patient, more.patient]),
        np.concatenate([direct.key, more.key]),
        np.concatenate([direct.template, more.template]),
        np.concatenate([direct.score, more.score]),
    )
    return found.take(_order(found, store))


def _order(paths: Paths, store: PathStore) -> Ints:
    """Sort by patient, score (the best first) and key; of equal ones the first stays first."""
    if not len(paths):
        return np.zeros(0, dtype=np.int64)
    steps = np.rint(paths.score * _DIGITS).astype(np.int64)
    levels, names = int(steps.max()) + 1, len(store.candidates) * len(store.ids) * METAS
    if (int(paths.patient.max()) + 1) * levels * names < _MOST:
        packed = (paths.patient * levels + (levels - 1 - steps)) * names + paths.key
        return np.argsort(packed, kind="stable")
    return np.lexsort((paths.key, -paths.score, paths.patient))


def _strong(store: PathStore, count: int, patients: Ints, entries: Ints) -> tuple[Ints, Ints]:
    """Give the strongly supported candidates of each patient: patient and candidate."""
    width = len(store.candidates)
    rows = store.best_rows.of(entries)
    at = np.repeat(patients, store.best_rows.lengths(entries)) * width + store.best_candidate.values[rows]
    totals = np.bincount(at, weights=store.best.values[rows], minlength=count * width).reshape(count, width)
    seeds = np.bincount(at, minlength=count * width).reshape(count, width)
    enough = _STRONG_SHARE * totals.max(axis=1, initial=0.0)
    who, which = np.nonzero((seeds >= _STRONG_SEEDS) & (totals >= enough[:, None]))
    return who.astype(np.int64), which.astype(np.int64)


def _underlying(store: PathStore, direct: Paths, patients: Ints, causes: Ints) -> Paths:
    """Extend the best path of each strongly supported candidate to its complications."""
    begins, n = store.link_begins, len(store.ids)
    groups, first = np.unique(
        direct.patient * len(store.candidates) + candidates_of(direct, store), return_index=True
    )  # the first of a group is its best
    base = first[np.searchsorted(groups, patients * len(store.candidates) + causes)] if len(groups) else patients
    links, lengths = ranges(begins, causes), begins[causes + 1] - begins[causes]
    base = np.repeat(base, lengths)
    template = np.array(
        list(map(store.longer, direct.template[base].tolist(), links.tolist())),
        dtype=np.int64,
    )
    seed = direct.key[base] // METAS % n
    made = Paths(
        np.repeat(patients, lengths),
        (store.link_other[links] * n + seed) * METAS + METAS - 1,
        template,
        rounded(direct.score[base] * UNDERLYING * store.link_weight[links]),
    )
    return made.take(template >= 0)


def best_paths(paths: Paths, store: PathStore) -> Paths:
    """Keep the first two of each seed and candidate, and the first 24 of each candidate; the order stays."""
    n = len(store.ids)
    kept = paths.take(_turn(paths.patient * (len(store.candidates) * n) + paths.key // METAS) < _EACH)
    return kept.take(_turn(kept.patient * len(store.candidates) + candidates_of(kept, store)) < MAX_PATHS)


def evidence_of(paths: Paths, store: PathStore, count: int) -> NDArray[np.float64]:
    """Give each candidate's evidence ``s`` as a node score in [0, 1): ``s / (1 + s)``; shape ``(count, c)``."""
    width = len(store.candidates)
    # A seed counts with its best path, which is its first.
    first = paths.take(_turn(paths.patient * (width * len(store.ids)) + paths.key // METAS) == 0)
    at = first.patient * width + candidates_of(first, store)
    totals = np.bincount(at, weights=first.score, minlength=count * width)
    return rounded(totals / (1 + totals)).reshape(count, width)


def _turn(groups: Ints) -> Ints:
    """Say of each entry how many of its group come before it."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else order
    turn = np.empty_like(order)
    turn[order] = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(ordered))))
    return turn
