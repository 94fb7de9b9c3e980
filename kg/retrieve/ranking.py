"""All diseases of the graph ranked for a patient by typed evidence, without training.

A finding speaks for a disease by the meta-paths of `kg.retrieve.evidence`, here for every disease of the graph and not
for the candidates alone. The score knows nothing of which diseases are candidates:

    score(d) = (sum_f w_f v_f max_m(theta_m E_m(f, d)) - delta sum_g w_g v_g E_denied(g, d)) / (c + T_d) ** beta
    v_f = spread_f ** -gamma,    spread_f = sum_d E(f, d) / max_d E(f, d)

``E_m`` are products of statement weights and shares of information along meta-path ``m``, ``T_d`` the sum of the
weights of what is stated of the disease and ``c`` its mean: a finding that fits everything says little, and so does a
match of a disease of which everything is stated. At the end diseases lend a share of their score to what they lead to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg.retrieve.core import Core
from kg.retrieve.evidence import DOWN, INDICATES, MEASURES, UP
from kg.retrieve.seeds import Start, seeds_of
from kg.retrieve.snapshot import PREDICATES, Positions
from kg.types import Finding
from kg.vocabulary import Category, Predicate

Floats = NDArray[np.float64]
_CACHED = 8_000
_PIECE = 4_096
_DENIED = "denied"
_STATES = {
    "historical": {"risk": 1.0, "complication": 0.6, "named": 0.4, "treatment": 1.0},
    "family": {"risk": 1.0},
}
_OF_DISEASE = (Predicate.HAS_PHENOTYPE, Predicate.HAS_COMPLICATION, *MEASURES)
_TO_DISEASE = (Predicate.PREDISPOSES_TO, Predicate.TREATS)


@dataclass(frozen=True, slots=True)
class Weights:
    """What each meta-path counts; the defaults were chosen on simulated patients of the development split.

    Attributes:
        named, phenotype, measurement, risk, treatment, complication: of meta-paths.
        specific, general: a step below or above what is stated.
        denied: of a denied finding that the disease shows.
        voice: ``gamma``; 0 lets a finding speak for every disease with full weight, 1 shares one voice among them.
        size: ``beta``; 0 leaves out how much is stated of a disease.
        underlying: share of its score that a disease lends to its complications and to what it predisposes to.
    """

    named: float = 8.0
    phenotype: float = 1.0
    measurement: float = 4.0
    risk: float = 3.0
    treatment: float = 3.0
    complication: float = 1.0
    specific: float = 0.9
    general: float = 0.7
    denied: float = 1.0
    voice: float = 0.5
    size: float = 0.25
    underlying: float = 0.4


@dataclass(frozen=True, slots=True)
class Voice:
    """One way in which a finding speaks: meta-path, steps of is_a, diseases and strengths, shape ``(k,)``."""

    family: str
    steps: int
    diseases: Positions
    strengths: Floats


Key = tuple[str, str | None, str]
"""Concept, direction of a series, state."""


class DiseaseRanker:
    """Scores every disease of a snapshot; memory does not grow with the number of patients."""

    def __init__(self, core: Core, weights: Weights | None = None) -> None:
        """Prepare what is known of diseases as such.

        Args:
            core: from `kg.retrieve.core.make_core`.
            weights: of meta-paths.
        """
        self.core = core
        self.weights = weights or Weights()
        s = core.snapshot
        self._kind = {predicate: PREDICATES.index(predicate) for predicate in Predicate}
        every = s.of_category(Category.DISEASE)
        totals = self._totals(every)
        self.diseases, self._stated = every[totals > 0], totals[totals > 0]
        self.silent = len(every) - len(self.diseases)
        self._column = np.full(len(s), -1, dtype=np.int64)
        self._column[self.diseases] = np.arange(len(self.diseases))
        self._size = 1.0 + self._stated / (self._stated.mean() if len(self._stated) else 1.0)
        self._lends = self._leads_to()
        self._voices: dict[Key, tuple[Voice, ...]] = {}
        self._rows: dict[Key, tuple[Positions, Floats]] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """CURIEs of the diseases of which anything is stated, the columns of `scores`; ``silent`` others score 0."""
        return tuple(self.core.snapshot.id(place) for place in self.diseases.tolist())

    def with_weights(self, weights: Weights) -> DiseaseRanker:
        """Give a ranker of the same graph with other weights; what findings say is shared."""
        other = DiseaseRanker.__new__(DiseaseRanker)
        other.__dict__.update(self.__dict__)
        other.weights, other._rows = weights, {}
        return other

    def scores(self, patients: Sequence[Sequence[Finding]], mode: str = "all") -> Floats:
        """Score all diseases for each patient.

        Args:
            patients: the findings of each.
            mode: as in `Retriever`.

        Returns:
            Shape ``(patients, diseases)``; below zero where what is denied outweighs what is found.
        """
        columns = len(self.diseases)
        total = np.zeros((len(patients), columns))
        for row, findings in enumerate(patients):
            for start in seeds_of(findings, mode, self.core):
                for key, weight in _keys(start):
                    places, values = self._row(key)
                    total[row, places] += weight * values
        total /= self._size**self.weights.size
        if self.weights.underlying and self._lends.nnz:
            total += self.weights.underlying * np.asarray((self._lends.T @ np.maximum(total, 0.0).T).T)
        return np.round(total, 9)

    def _row(self, key: Key) -> tuple[Positions, Floats]:
        if key not in self._rows:
            if len(self._rows) >= _CACHED:
                self._rows.clear()
            self._rows[key] = self._weigh(key)
        return self._rows[key]

    def _weigh(self, key: Key) -> tuple[Positions, Floats]:
        """Take the strongest meta-path to each disease, and share the finding's voice among them."""
        if key not in self._voices:
            if len(self._voices) >= _CACHED:
                self._voices.clear()
            self._voices[key] = tuple(self._listen(key))
        w, state = self.weights, key[2]
        rates = {name: getattr(w, name) for name in ("named", "phenotype", "measurement", "risk", "treatment")}
        rates |= {"specific": w.phenotype, "general": w.phenotype, "complication": w.complication}
        decay = {"general": w.general}
        found: list[tuple[Positions, Floats]] = []
        for voice in self._voices[key]:
            rate = rates[voice.family] * decay.get(voice.family, w.specific) ** voice.steps
            if state in _STATES:
                rate *= _STATES[state].get(voice.family, 0.0)
            if rate > 0:
                found.append((voice.diseases, rate * voice.strengths))
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        places, where = np.unique(np.concatenate([p for p, _ in found]), return_inverse=True)
        values = np.zeros(len(places))
        np.maximum.at(values, where, np.concatenate([v for _, v in found]))
        top = float(values.max(initial=0.0))
        if top <= 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        values = values * (float(values.sum()) / top) ** -w.voice
        return places, (-w.denied * values if state == _DENIED else values)

    def _listen(self, key: Key) -> Iterator[Voice]:
        """Give all ways in which a finding speaks, before they are weighed."""
        concept, direction, state = key
        s, start = self.core.snapshot, int(self.core.places[self.core.place[concept]])
        if start < 0:
            return
        told = float(s.information[start])
        for steps, places in self._levels(start, DOWN if state != _DENIED else UP, up=False):
            if steps or state == _DENIED:  # who has no edema has none of the legs
                deep = np.maximum(s.information[places], 1e-9)
                share = np.ones(len(places)) if state == _DENIED else np.minimum(1.0, told / deep)
                yield self._said("general" if steps else "phenotype", steps, places, share, Predicate.HAS_PHENOTYPE)
        if state == _DENIED:
            return
        if self._column[start] >= 0:
            yield Voice("named", 0, self._column[[start]], np.ones(1))
        if direction is not None:
            yield self._measured(start, direction, 1.0)
        for edge in s.in_edges([start]).tolist():
            predicate = PREDICATES[s.predicates[edge]]
            if predicate in INDICATES:
                series = int(s.subjects(np.array([edge]))[0])
                yield self._measured(series, INDICATES[predicate], float(s.weights[edge]))
        for steps, places in self._levels(start, UP, up=True):
            ones = np.ones(len(places))
            share = np.minimum(1.0, s.information[places] / max(told, 1e-9))
            yield self._said("specific" if steps else "phenotype", steps, places, share, Predicate.HAS_PHENOTYPE)
            yield self._said("complication", steps, places, ones, Predicate.HAS_COMPLICATION)
            yield self._said("named", 0, places, ones, Predicate.CLOSE_MATCH)
            for predicate, family in ((Predicate.PREDISPOSES_TO, "risk"), (Predicate.TREATS, "treatment")):
                if family == "risk" or steps == 0:
                    edges = self._of(s.out_edges(places), predicate)
                    yield self._voice(family, steps, s.targets[edges].astype(np.int64), s.weights[edges])

    def _levels(self, start: int, limit: int, *, up: bool) -> Iterator[tuple[int, Positions]]:
        """Walk the hierarchy breadth first; each concept once, by its shortest way."""
        s = self.core.snapshot
        seen, level = np.array([start]), np.array([start])
        for steps in range(limit + 1):
            yield steps, level
            edges = self._of(s.out_edges(level) if up else s.in_edges(level), Predicate.SUBCLASS_OF)
            level = np.setdiff1d(s.targets[edges] if up else s.subjects(edges), seen).astype(np.int64)
            seen = np.union1d(seen, level)
            if not len(level):
                return

    def _of(self, edges: Positions, predicate: Predicate) -> Positions:
        chosen: Positions = edges[self.core.snapshot.predicates[edges] == self._kind[predicate]]
        return chosen

    def _said(self, family: str, steps: int, places: Positions, share: Floats, predicate: Predicate) -> Voice:
        """Give the diseases that show (or mean) one of these concepts, each by its strongest statement."""
        s = self.core.snapshot
        edges = self._of(s.in_edges(places), predicate)
        ends = s.subjects(edges)
        at = np.searchsorted(np.sort(places), s.targets[edges])
        shares = share[np.argsort(places, kind="stable")][at] if len(edges) else np.zeros(0)
        return self._voice(family, steps, ends, s.weights[edges] * shares)

    def _measured(self, series: int, direction: str, strength: float) -> Voice:
        s = self.core.snapshot
        wanted = [self._kind[predicate] for predicate, told in MEASURES.items() if told == direction]
        edges = s.in_edges([series])
        edges = edges[np.isin(s.predicates[edges], wanted)]  # none where no statement speaks of such a direction
        return self._voice("measurement", 0, s.subjects(edges), s.weights[edges] * strength)

    def _voice(self, family: str, steps: int, diseases: Positions, strengths: Floats) -> Voice:
        columns = self._column[diseases]
        kept = columns >= 0
        return Voice(family, steps, columns[kept], np.asarray(strengths[kept], dtype=np.float64))

    def _totals(self, diseases: Positions) -> Floats:
        """Add up the weights of what is stated of each disease, shape ``(diseases,)``."""
        s = self.core.snapshot
        total = np.zeros(len(s))
        for begin in range(0, len(diseases), _PIECE):
            some = diseases[begin : begin + _PIECE]
            edges = s.out_edges(some)
            edges = edges[np.isin(s.predicates[edges], [self._kind[predicate] for predicate in _OF_DISEASE])]
            np.add.at(total, s.subjects(edges), s.weights[edges])
            edges = s.in_edges(some)
            edges = edges[np.isin(s.predicates[edges], [self._kind[predicate] for predicate in _TO_DISEASE])]
            np.add.at(total, s.targets[edges], s.weights[edges])
        return total[diseases]

    def _leads_to(self) -> sparse.csr_matrix:
        """Give which disease has or makes likely which other one, shape ``(diseases, diseases)``."""
        s, n = self.core.snapshot, len(self.diseases)
        kinds = [self._kind[Predicate.HAS_COMPLICATION], self._kind[Predicate.PREDISPOSES_TO]]
        rows, columns, values = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
        for begin in range(0, n, _PIECE):
            edges = s.out_edges(self.diseases[begin : begin + _PIECE])
            edges = edges[np.isin(s.predicates[edges], kinds)]
            ends = self._column[s.targets[edges]]
            rows.append(self._column[s.subjects(edges)][ends >= 0])
            columns.append(ends[ends >= 0])
            values.append(s.weights[edges][ends >= 0])
        places = (np.concatenate(rows), np.concatenate(columns))
        return sparse.csr_matrix((np.concatenate(values), places), shape=(n, n))


def _keys(start: Start) -> Iterable[tuple[Key, float]]:
    """Give what a seed looks up, with the weight of each."""
    seed = start.seed
    weight = seed.weight if seed.state != _DENIED else 1.0
    if weight <= 0:
        return
    if start.directions and seed.state == "present":
        for direction in sorted(start.directions):
            yield (seed.concept, direction, seed.state), weight
    else:
        yield (seed.concept, None, seed.state), weight


def ranks_of(scores: Floats, columns: Mapping[str, int], wanted: Iterable[str], *, silent: int = 0) -> dict[str, int]:
    """Give the rank (1 is best) of some diseases among all; of equal scores the last place counts.

    Args:
        scores: of one patient, shape ``(diseases,)``.
        columns: of disease ids.
        wanted: disease ids.
        silent: how many more diseases there are, all with score 0.
    """
    found = {}
    for one in wanted:
        own = float(scores[columns[one]]) if one in columns else 0.0
        found[one] = int((scores >= own).sum()) + (silent if own <= 0 else 0)
    return found
