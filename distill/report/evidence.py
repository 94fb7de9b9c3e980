"""The statements of a report, who says so, and what else the evidence queries gave."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import polars as pl

from distill.report.picture import VERBS
from kg.bundle import Bundle
from kg.queries import evidence_queries
from kg.vocabulary import Predicate

_PLACES = {
    "PMID": "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "PMC": "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC{}/",
    "DOI": "https://doi.org/{}",
    "OMIM": "https://omim.org/entry/{}",
    "ORPHA": "https://www.orpha.net/en/disease/detail/{}",
}
_LOCAL = re.compile(r"[A-Za-z0-9./()_;:-]+")

EvidenceRows = Mapping[str, Sequence[Mapping[str, object]]]
"""By evidence query, the rows that it gave."""

CHECKED = {True: "source opened", False: "named from memory", None: "released source"}


@dataclass(frozen=True, slots=True)
class Citation:
    """A publication as its source wrote it, with an address where it is one or has one."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """Who says so: one source of one statement."""

    source: str
    version: str
    citations: tuple[Citation, ...]
    checked: bool | None
    weight: float | None
    note: str

    @property
    def state(self) -> str:
        """Say whether the citation was opened."""
        return CHECKED[self.checked]


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One statement of the evidence table; ``number`` is the n of its anchor ``#ev-n``."""

    number: int
    statement: str
    subject: str
    verb: str
    object: str
    records: tuple[EvidenceRecord, ...]
    diseases: tuple[str, ...]


@dataclass(slots=True)
class Statements:
    """Numbers statements in the order in which the page first needs them."""

    diseases: dict[str, list[str]] = field(default_factory=dict)

    def add(self, statements: Iterable[str], disease: str) -> None:
        """Take statements that are needed for a disease (empty: for none)."""
        for statement in statements:
            names = self.diseases.setdefault(statement, [])
            if disease and disease not in names:
                names.append(disease)

    def anchors(self) -> dict[str, str]:
        """Give by statement the address of its row."""
        return {statement: f"#ev-{n}" for n, statement in enumerate(self.diseases, 1)}


def citation(text: str) -> Citation:
    """Give a citation an address where it is one (``https://…``) or has a known place (``PMID:123``)."""
    if text.startswith(("https://", "http://")) and not re.search(r"[\s<>\"']", text):
        return Citation(text, text)
    prefix, _, local = text.partition(":")
    pattern = _PLACES.get(prefix.upper())
    if pattern and _LOCAL.fullmatch(local):
        return Citation(text, pattern.format(local))
    return Citation(text)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _record(row: Mapping[str, object]) -> EvidenceRecord:
    publications = row.get("publications")
    texts = [str(p) for p in publications] if isinstance(publications, list | tuple) else []
    checked = row.get("checked")
    return EvidenceRecord(
        source=str(row.get("source") or ""),
        version=str(row.get("version") or ""),
        citations=tuple(citation(text) for text in texts),
        checked=checked if isinstance(checked, bool) else None,
        weight=_number(row.get("weight")),
        note=str(row.get("note") or ""),
    )


def evidence_items(
    needed: Statements, bundle: Bundle, fetched: EvidenceRows, names: Mapping[str, str]
) -> list[EvidenceItem]:
    """Describe every statement of the page: from the rows that the store gave, else from the bundle."""
    ids = list(needed.diseases)
    statements = {
        row["id"]: row for row in bundle.statements.filter(pl.col("id").is_in(ids)).collect().iter_rows(named=True)
    }
    records: dict[str, list[EvidenceRecord]] = {}
    for row in chain.from_iterable(fetched.values()):
        if isinstance(one := row.get("statement"), str) and "source" in row:
            record = _record(row)
            if record not in records.setdefault(one, []):
                records[one].append(record)
    rest = [one for one in ids if one not in records]
    for row in bundle.evidence.filter(pl.col("statement").is_in(rest)).collect().iter_rows(named=True):
        records.setdefault(row["statement"], []).append(_record(row))
    items = []
    for number, one in enumerate(ids, 1):
        found = statements.get(one)
        subject, object_ = (found["subject"], found["object"]) if found else ("?", "?")
        verb = VERBS[Predicate(found["predicate"])] if found else "?"
        negated = "does not: " if found and found["negated"] else ""
        items.append(
            EvidenceItem(
                number,
                one,
                names.get(subject, subject),
                negated + verb,
                names.get(object_, object_),
                tuple(records.get(one, ())),
                tuple(needed.diseases[one]),
            )
        )
    return items


def other_tables(
    evidence_rows: EvidenceRows,
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Give the rows of queries that are not about sources, as text, under the question that each answers."""
    questions = {query.name: query.question for query in evidence_queries()}
    tables = []
    for name, rows in sorted(evidence_rows.items()):
        if not rows or ("statement" in rows[0] and "source" in rows[0]):
            continue
        # Where an id stands beside its name, the name is enough for a reader.
        columns = [c for c in rows[0] if f"{c}_name" not in rows[0] and c != "statement"]
        headings = [column.removesuffix("_name").replace("_", " ") for column in columns]
        cells = [[_cell(row.get(column)) for column in columns] for row in rows]
        tables.append((questions.get(name, name.replace("_", " ")), headings, cells))
    return tables


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
