"""Typed paths from a finding to a candidate disease: the only ways in which a finding may speak for a disease.

=============  ===================================================================================  ===============
meta-path      walk (``f`` the finding's concept, ``c`` the candidate)                              factor
=============  ===================================================================================  ===============
named          ``f`` is_a* ``t``, ``c`` close_match ``t``; or ``f`` is ``c``                        1
phenotype      ``c`` has_phenotype ``f``                                                            1
specific       ``f`` is_a+ ``t``, ``c`` has_phenotype ``t``                                         0.8 a step (*)
general        ``t`` is_a+ ``f``, ``c`` has_phenotype ``t``                                         0.5 a step (*)
measurement    value high (low) indicates ``f``, ``c`` has_high (low)_measurement of that series    1
risk           ``f`` is_a* ``t``, ``t`` predisposes to ``c``                                        0.6, 0.8 a step
treatment      drug ``f`` treats ``c``                                                              0.8
complication   ``f`` is_a* ``t``, ``c`` has_complication ``t``                                      0.6, 0.8 a step
underlying     any of these to ``d``, ``d`` has_complication ``c``, ``d`` strongly supported        0.3
=============  ===================================================================================  ===============

(*) times the information content of the more general of ``f`` and ``t`` relative to the other's: a disease with
"pain" says little of chest pain, and what everything is below says nothing.

No walk passes through a drug, and none through a hub that merely connects (every term is below some organ's
abnormality): what carries score is a statement about the candidate itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kg.types import EvidencePath
from kg.vocabulary import Predicate

UP, DOWN = 4, 2
"""How many is_a steps a finding may be below or above what is stated."""
SPECIFIC, GENERAL = 0.8, 0.5
RISK, TREATMENT, COMPLICATION, UNDERLYING = 0.6, 0.8, 0.6, 0.3


class Link(NamedTuple):
    """One statement seen from its subject or its object."""

    other: str
    weight: float
    statement: str


@dataclass(frozen=True, slots=True)
class Template:
    """A path that any patient with the finding has; ``factor`` is the product of weights and decays.

    ``plain`` is the product of the statements' weights alone.
    """

    candidate: str
    meta_path: str
    nodes: tuple[str, ...]
    statements: tuple[str, ...]
    factor: float
    plain: float


@dataclass(frozen=True, slots=True)
class Triple:
    """A statement as the index needs it."""

    subject: str
    predicate: Predicate
    object: str
    weight: float
    statement: str


_BY_OBJECT = (Predicate.HAS_PHENOTYPE, Predicate.HAS_COMPLICATION)
_BY_SUBJECT = (Predicate.PREDISPOSES_TO, Predicate.TREATS)
MEASURES = {Predicate.HAS_HIGH_MEASUREMENT: "high", Predicate.HAS_LOW_MEASUREMENT: "low"}
INDICATES = {Predicate.HIGH_INDICATES: "high", Predicate.LOW_INDICATES: "low"}


class EvidenceIndex:
    """Answers which candidates a concept speaks for, by the meta-paths above."""

    def __init__(
        self,
        triples: Iterable[Triple],
        candidates: Iterable[str],
        information: Mapping[str, float] | None = None,
    ) -> None:
        """Index statements.

        Args:
            triples: the graph.
            candidates: the diseases that findings speak for.
            information: information content of concepts in [0, 1]; 1 where it is not known.
        """
        self.candidates = frozenset(candidates)
        self._information = information or {}
        self._about: dict[Predicate, dict[str, list[Link]]] = {
            p: {} for p in (*_BY_OBJECT, *_BY_SUBJECT, Predicate.CLOSE_MATCH)
        }
        self._parents: dict[str, list[Link]] = {}
        self._children: dict[str, list[Link]] = {}
        self._measured: dict[tuple[str, str], list[Link]] = {}
        self._indicated: dict[str, list[tuple[Link, str]]] = {}
        self.complications: dict[str, list[Link]] = {}
        for triple in triples:
            self._add(triple)
        self.paths: dict[tuple[str, str, float, frozenset[str]], tuple[EvidencePath, ...]] = {}
        self._memory: dict[tuple[str, str | None], tuple[Template, ...]] = {}

    def _add(self, triple: Triple) -> None:
        subject, predicate, object_, weight, statement = (
            triple.subject,
            triple.predicate,
            triple.object,
            triple.weight,
            triple.statement,
        )
        if predicate is Predicate.SUBCLASS_OF:
            self._parents.setdefault(subject, []).append(Link(object_, weight, statement))
            self._children.setdefault(object_, []).append(Link(subject, weight, statement))
        elif predicate in _BY_OBJECT and subject in self.candidates:
            self._about[predicate].setdefault(object_, []).append(Link(subject, weight, statement))
            if predicate is Predicate.HAS_COMPLICATION and object_ in self.candidates:
                self.complications.setdefault(subject, []).append(Link(object_, weight, statement))
        elif predicate in _BY_SUBJECT and object_ in self.candidates:
            self._about[predicate].setdefault(subject, []).append(Link(object_, weight, statement))
        elif predicate is Predicate.CLOSE_MATCH:
            for one, other in ((subject, object_), (object_, subject)):
                if one in self.candidates:
                    self._about[predicate].setdefault(other, []).append(Link(one, weight, statement))
        elif predicate in MEASURES and subject in self.candidates:
            key = (object_, MEASURES[predicate])
            self._measured.setdefault(key, []).append(Link(subject, weight, statement))
        elif predicate in INDICATES:
            entry = (Link(subject, weight, statement), INDICATES[predicate])
            self._indicated.setdefault(object_, []).append(entry)

    @property
    def stated(self) -> frozenset[str]:
        """Concepts of which a statement about a candidate speaks."""
        return frozenset(concept for links in self._about.values() for concept in links)

    def templates(self, concept: str, direction: str | None = None) -> tuple[Template, ...]:
        """Give the best path from a concept to each candidate and meta-path.

        Args:
            concept: the finding's concept.
            direction: ``high`` or ``low`` where the concept is a series.
        """
        key = (concept, direction)
        if key not in self._memory:
            best: dict[tuple[str, str], Template] = {}
            for template in self._walk(concept, direction):
                place = (template.candidate, template.meta_path)
                held = best.get(place)
                if held is None or (-template.factor, template.nodes) < (-held.factor, held.nodes):
                    best[place] = template
            self._memory[key] = tuple(best[place] for place in sorted(best))
        return self._memory[key]

    def _walk(self, concept: str, direction: str | None) -> Iterable[Template]:
        if concept in self.candidates:
            yield Template(concept, "named", (concept,), (), 1.0, 1.0)
        if direction is not None:
            for link in self._measured.get((concept, direction), ()):
                pair = (concept, link.other)
                yield Template(link.other, "measurement", pair, (link.statement,), link.weight, link.weight)
        for indicated, way in self._indicated.get(concept, ()):
            for link in self._measured.get((indicated.other, way), ()):
                weight = indicated.weight * link.weight
                through = (concept, indicated.other, link.other)
                two = (indicated.statement, link.statement)
                yield Template(link.other, "measurement", through, two, weight, weight)
        for chain, steps, decay in self._chain(concept, self._parents, UP, SPECIFIC):
            direct = len(chain) == 1
            shown = decay * self._share(chain[-1], concept)
            yield from self._ends(chain, steps, Predicate.HAS_PHENOTYPE, "phenotype" if direct else "specific", shown)
            yield from self._ends(chain, steps, Predicate.CLOSE_MATCH, "named", 1.0)
            yield from self._ends(chain, steps, Predicate.PREDISPOSES_TO, "risk", RISK * decay)
            yield from self._ends(chain, steps, Predicate.HAS_COMPLICATION, "complication", COMPLICATION * decay)
            if direct:
                yield from self._ends(chain, steps, Predicate.TREATS, "treatment", TREATMENT)
        for chain, steps, decay in self._chain(concept, self._children, DOWN, GENERAL):
            if len(chain) > 1:
                share = self._share(concept, chain[-1])
                yield from self._ends(chain, steps, Predicate.HAS_PHENOTYPE, "general", decay * share)

    def _share(self, general: str, specific: str) -> float:
        """Say how much of what a specific term tells a general one above it tells: the root nothing."""
        told, whole = self._information.get(general, 1.0), self._information.get(specific, 1.0)
        return min(1.0, told / whole) if whole > 0 else 0.0

    def _ends(
        self, chain: tuple[str, ...], steps: tuple[str, ...], predicate: Predicate, meta_path: str, factor: float
    ) -> Iterable[Template]:
        for link in self._about[predicate].get(chain[-1], ()):
            if link.other not in chain and factor > 0:
                nodes, statements = (*chain, link.other), (*steps, link.statement)
                yield Template(link.other, meta_path, nodes, statements, factor * link.weight, link.weight)

    @staticmethod
    def _chain(
        concept: str, onward: Mapping[str, list[Link]], limit: int, decay: float
    ) -> Iterable[tuple[tuple[str, ...], tuple[str, ...], float]]:
        """Walk up (or down) the hierarchy breadth first, each concept once by its shortest way."""
        seen = {concept}
        frontier: list[tuple[tuple[str, ...], tuple[str, ...], float]] = [((concept,), (), 1.0)]
        for step in range(limit + 1):
            yield from frontier
            if step == limit:
                return
            following = []
            for chain, steps, factor in frontier:
                for link in sorted(onward.get(chain[-1], ())):
                    if link.other not in seen:
                        seen.add(link.other)
                        following.append(((*chain, link.other), (*steps, link.statement), factor * decay))
            frontier = following
