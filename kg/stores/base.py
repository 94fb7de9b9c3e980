"""What every graph store can do, and the values that go in and come out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from ehr.errors import InputError
from kg.search import Hit

ROW_LIMIT = 10_000
"""Rows that a query gives back unless the caller asks for another number."""
TIME_LIMIT = 60.0
"""Seconds that a query may run unless the caller asks for another number."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A table of plain Python values.

    A node becomes ``{"_label": "Concept", **properties}``, a relationship ``{"_type": "TREATS", **properties}``, a path
    ``{"nodes": [...], "relationships": [...]}`` whose relationships also say ``_from`` and ``_to`` (the ids of their
    ends). Properties without a value are left out, on every store.

    Attributes:
        columns: names, in the order of the query.
        rows: one tuple a row, each as long as ``columns``.
        truncated: True where the row limit cut the answer.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    truncated: bool = False

    def records(self) -> list[dict[str, object]]:
        """Give the rows as dictionaries by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class StoreManifest:
    """What a store holds.

    Attributes:
        hash: of the bundle that was loaded whole; None where nothing was, or where a load was cut off.
        concepts, statements, evidence: counts of the loaded bundle.
        sources: the bundle's sources (name, version, licence …).
    """

    hash: str | None
    concepts: int = 0
    statements: int = 0
    evidence: int = 0
    sources: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Support:
    """A concept that a diagnosis rests on, with attention weight and the statement that leads there, if one does."""

    concept: str
    weight: float
    statement: str | None = None


@dataclass(frozen=True, slots=True)
class DiagnosisRecord:
    """One disease of one admission as it is written into a store: ids and numbers, no text.

    Attributes:
        admission: pseudonymous id (see `pseudonym`).
        disease: concept id, such as ``CCS:157``.
        probability: calibrated, in [0, 1].
        rank: 1 for the most probable disease of the admission.
    """

    admission: str
    disease: str
    probability: float
    rank: int
    support: tuple[Support, ...] = field(default_factory=tuple)

    def id(self, run: str) -> str:
        """Give the id of this diagnosis within ``run``: the same admission, disease and run, the same id."""
        text = "\t".join((run, self.admission, self.disease))
        return "D" + hashlib.sha256(text.encode()).hexdigest()[:20]


def pseudonym(admission_id: str, salt: str) -> str:
    """Give a stable pseudonym of an admission that only who knows the salt can tie back to it.

    Args:
        admission_id: the hospital's id.
        salt: a secret kept with the run, never in the store.

    Raises:
        InputError: where the salt is empty; without one, numbers are guessed in seconds.
    """
    if not salt:
        raise InputError("a pseudonym needs a salt that is not empty")
    return "A" + hmac.new(salt.encode(), admission_id.encode(), hashlib.sha256).hexdigest()[:20]


class BundleFiles(Protocol):
    """The part of `kg.bundle.Bundle` that a store reads: where the Parquet files lie, and what they are."""

    @property
    def path(self) -> Path:
        """Directory with ``concepts.parquet`` and the other files."""

    @property
    def hash(self) -> str:
        """Hash of the bundle's content."""

    @property
    def manifest(self) -> Mapping[str, object]:
        """Content of ``manifest.json``."""


@runtime_checkable
class GraphStore(Protocol):
    """A graph database that holds one bundle and, when asked for, what a run diagnosed.

    Both stores hold: ``(:Concept {id, name, category, caption, definition, source, synonyms, deprecated,
    equivalents, former})`` (the other ids of its clique, and the ids it had before); between concepts one relationship
    type a predicate, with ``predicate, statement, sources, weight, negated, publications, checked``; ``(:Evidence {id,
    statement, subject, predicate, object, negated, source, version, publications, weight, frequency,
    subject_as_written, object_as_written, checked, note, caption})``, one node for every record of every source that
    states a relation, found by ``statement``; and ``(:Source {id, version, licence, open, sha256, caption})``, one node
    for every source that the evidence names by ``id``.
    """

    @property
    def url(self) -> str:
        """Address of the store, without credentials."""

    @property
    def manifest(self) -> StoreManifest:
        """What was loaded."""

    def load(self, bundle: BundleFiles, *, force: bool = False) -> StoreManifest:
        """Make the store hold exactly this bundle; recorded diagnoses stay.

        Does nothing where the store already holds the bundle's hash, unless ``force``.

        Raises:
            InputError: for a bundle that contradicts itself, a store opened read-only, a full disk.
        """

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, object] | None = None,
        *,
        read_only: bool = True,
        limit: int | None = ROW_LIMIT,
        timeout: float | None = TIME_LIMIT,
    ) -> QueryResult:
        """Run one Cypher statement after `kg.stores.guard.check_query` has let it pass.

        Args:
            cypher: the text; values belong into ``parameters``.
            parameters: by name, without the dollar sign.
            read_only: False lets clauses pass that write, where the store was opened for writing.
            limit: rows given back at most (None: all).
            timeout: seconds after which the store gives up (None: never).

        Raises:
            InputError: for text that is not allowed or not Cypher, a missing parameter, a query that takes too long.
        """

    def search(self, words: str, limit: int = 20) -> list[Hit]:
        """Find concepts by words over names and synonyms, tolerant of typing errors, or by id.

        An id may also be that of another member of a concept's clique (``equivalents``).

        Args:
            words: see `kg.search.search_concepts`.
            limit: at most so many, best first; the scores are those of `kg.search` on every store.
        """

    def write_diagnoses(self, run: str, diagnoses: Sequence[DiagnosisRecord]) -> int:
        """Record diagnoses beside the ontology and give their number; what this run said of them before is replaced.

        Written are ``(:Admission {id})-[:HAS_DIAGNOSIS]->(:Diagnosis {id, probability, rank, run, caption})-[:OF]->
        (:Concept)`` and ``(:Diagnosis)-[:SUPPORTED_BY {weight, statement}]->(:Concept)``.

        Raises:
            InputError: where a concept is not in this store, a record stands twice, or a probability is not in [0, 1].
        """

    def remove_diagnoses(self, run: str | None = None) -> int:
        """Remove what a run (None: every run) diagnosed, and give the number of diagnoses removed."""

    def close(self) -> None:
        """Let go of files and connections; closing twice does nothing."""

    def __enter__(self) -> Self:
        """Give the store itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""


def check_diagnoses(run: str, diagnoses: Sequence[DiagnosisRecord]) -> list[DiagnosisRecord]:
    """Sort the records and refuse what no store should hold (see `GraphStore.write_diagnoses`)."""
    if not run:
        raise InputError("a run's name must not be empty")
    seen: set[tuple[str, str]] = set()
    for record in diagnoses:
        key = (record.admission, record.disease)
        if key in seen:
            raise InputError(f"disease {record.disease} stands twice for one admission")
        seen.add(key)
        if not record.admission:
            raise InputError(f"a diagnosis of {record.disease} has no admission")
        if not 0 <= record.probability <= 1:
            raise InputError(f"the probability of {record.disease} is {record.probability}, expected 0 to 1")
        if record.rank < 1:
            raise InputError(f"the rank of {record.disease} is {record.rank}, expected 1 or more")
        links = [(one.concept, one.statement) for one in record.support]
        if len(set(links)) < len(links):
            raise InputError(f"the support of {record.disease} names one concept with one statement twice")
    return sorted(diagnoses, key=lambda record: (record.admission, record.rank, record.disease))


def unknown_concepts(diagnoses: Sequence[DiagnosisRecord], known: set[str], url: str) -> None:
    """Raise `InputError` where diagnoses name concepts that are not in ``known``."""
    missing = sorted(concepts_of(diagnoses) - known)
    if missing:
        raise InputError(
            f"{len(missing)} concepts of the diagnoses are not in this store, the first is {missing[0]}",
            where=url,
            remedy="load the bundle that the run was made with",
        )


def concepts_of(diagnoses: Sequence[DiagnosisRecord]) -> set[str]:
    """Give the ids of every concept that the records name."""
    return {one.disease for one in diagnoses} | {link.concept for one in diagnoses for link in one.support}
