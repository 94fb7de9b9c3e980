"""The graph's types that cross room borders: concept, statement, evidence, finding, subgraph."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from kg.vocabulary import Category, Predicate


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a concept; ``scope`` is exact, narrow, broad or related, ``kind`` e.g. ``layperson``."""

    text: str
    scope: str = "exact"
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """A node of the graph; ``id`` is a CURIE such as ``HP:0001945``."""

    id: str
    category: Category
    name: str
    source: str
    synonyms: tuple[Synonym, ...] = ()
    definition: str = ""
    xrefs: tuple[str, ...] = ()
    deprecated: bool = False
    replaced_by: str | None = None


def statement_id(subject: str, predicate: Predicate, object_: str, negated: bool) -> str:
    """Give a statement's content hash: equal triples, equal id, whoever states them."""
    text = "\t".join((subject, predicate, object_, "1" if negated else "0"))
    return "S" + hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Statement:
    """A relation between two concepts, as such; who states it stands in `Evidence`."""

    subject: str
    predicate: Predicate
    object: str
    negated: bool = False

    @property
    def id(self) -> str:
        """Content hash of the triple (see `statement_id`)."""
        return statement_id(self.subject, self.predicate, self.object, self.negated)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a statement stands in the graph.

    Attributes:
        statement: id of the statement.
        source, version: which source says so.
        publications: citations as the source wrote them (``PMID:123``, ``OMIM:154700``, an address, a chapter).
        weight: strength in [0, 1]; a frequency where the source gives one.
        subject_as_written, object_as_written: ids before normalisation.
        checked: True where the citation was opened, False where it was named from memory, None where a
            released source stands for itself.
        note: the supporting fact in own words.
    """

    statement: str
    source: str
    version: str
    publications: tuple[str, ...] = ()
    weight: float = 1.0
    subject_as_written: str = ""
    object_as_written: str = ""
    frequency: str = ""
    checked: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A concept named in a text; ``start`` and ``end`` are character offsets."""

    concept: str
    start: int
    end: int
    negated: bool = False
    historical: bool = False
    hypothetical: bool = False
    family: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A concept observed in one patient, with where it came from; never carries text.

    Attributes:
        origin: ``note``, ``lab``, ``vital`` or ``medication``.
        section, start, end: the span in that section's text (origin note; medications of a note too).
        code, direction, value, unit, hours: the series' LOINC CURIE, ``high`` or ``low``, the most abnormal value
            and its time.
        weight: how much the finding counts as a seed, in [0, 1].
    """

    admission_id: str
    concept: str
    origin: str
    negated: bool = False
    historical: bool = False
    hypothetical: bool = False
    family: bool = False
    section: str | None = None
    start: int | None = None
    end: int | None = None
    code: str | None = None
    direction: str | None = None
    value: float | None = None
    unit: str | None = None
    hours: float | None = None
    weight: float = 1.0

    @property
    def present(self) -> bool:
        """True where the patient has it now."""
        return not (self.negated or self.historical or self.hypothetical or self.family)


@dataclass(frozen=True, slots=True)
class Seed:
    """A concept that retrieval starts from; ``state`` is ``present``, ``denied``, ``historical`` or ``family``."""

    concept: str
    weight: float
    origins: tuple[str, ...]
    state: str = "present"


@dataclass(frozen=True, slots=True)
class Edge:
    """One statement inside a subgraph; ``source`` and ``target`` index the subgraph's nodes."""

    source: int
    target: int
    predicate: Predicate
    statement: str
    weight: float


@dataclass(frozen=True, slots=True)
class EvidencePath:
    """How a seed reaches a candidate disease: ``nodes`` from seed to candidate, ``statements`` between them."""

    candidate: str
    seed: str
    meta_path: str
    nodes: tuple[str, ...]
    statements: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class PatientSubgraph:
    """The part of the graph that one patient's findings call up.

    Attributes:
        mode: ``all``, or ``labs`` where only labs and vitals were seeds (stage 2).
        nodes: concept ids, shape ``(n,)``; ``scores`` (retrieval score) and ``categories`` have the same length.
        seeds: with weights and states; denied findings are nodes but never sources of score.
        paths: best typed paths from seeds to candidate diseases.
    """

    admission_id: str
    mode: str
    nodes: tuple[str, ...]
    categories: tuple[Category, ...]
    scores: tuple[float, ...]
    seeds: tuple[Seed, ...]
    edges: tuple[Edge, ...]
    paths: tuple[EvidencePath, ...] = field(default_factory=tuple)
