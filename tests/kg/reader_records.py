"""What a reader yields, by kind, where the records stand one by one (`reader_rows` takes batches too)."""

from collections.abc import Iterable

from kg.readers.records import Fact, Mapping, Reject
from kg.types import Concept
from kg.vocabulary import Predicate


def concepts(records: Iterable[object]) -> dict[str, Concept]:
    return {r.id: r for r in records if isinstance(r, Concept)}


def facts(records: Iterable[object]) -> list[Fact]:
    return [r for r in records if isinstance(r, Fact)]


def statements(records: Iterable[object]) -> dict[tuple[str, Predicate, str], str]:
    """Notes of the evidence by what is stated."""
    return {(f.statement.subject, f.statement.predicate, f.statement.object): f.evidence.note for f in facts(records)}


def mappings(records: Iterable[object]) -> set[tuple[str, str, str]]:
    return {(m.subject, m.predicate, m.object) for m in records if isinstance(m, Mapping)}


def rejects(records: Iterable[object]) -> list[Reject]:
    return [r for r in records if isinstance(r, Reject)]
