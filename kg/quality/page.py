"""What stands on the page of the quality report: sections of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from kg.quality.types import Coverage, Quality, RefusedClique
from kg.readers.records import EXACT_MATCH, XREF
from kg.schema import TABLES
from kg.vocabulary import Category, Predicate

SHOWN = 200
"""Rows of one table of the page; the others stand in the JSON."""
_IDS = 12
_VERBS = {XREF: "refers to", EXACT_MATCH: "is"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page; a column is a number where its heading begins with ``#``, a tuple in a cell is lines."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page; ``count`` stands beside its title (None: it counts nothing)."""

    anchor: str
    title: str
    about: str
    count: int | None
    tables: tuple[Table, ...]


def _table(caption: str, columns: str, rows: Iterable[tuple[object, ...]], total: int | None = None) -> Table:
    held = list(rows)
    return Table(caption, tuple(columns.split("|")), tuple(held[:SHOWN]), len(held) if total is None else total)


def ids_text(ids: Sequence[str], most: int = _IDS) -> str:
    """Join the first ids, and say how many more there are."""
    return ", ".join(ids[:most]) + (f" … {len(ids) - most} more" if len(ids) > most else "")


def way_text(steps: Sequence[str], most: int = _IDS) -> str:
    """Join the steps of a way round; a long one is cut before it comes back to its beginning."""
    if len(steps) > most:
        return " → ".join(steps[:most]) + f" → … {len(steps) - most} more"
    return " → ".join([*steps, *steps[:1]])


def share(part: int, whole: int) -> str:
    """Give a share in per cent."""
    return f"{part / whole:.1%}" if whole else "none"


def label(value: str) -> str:
    """Give a category's label or a predicate's type; the value itself where it is neither."""
    if value in {one.value for one in Category}:
        return Category(value).label
    return Predicate(value).relationship if value in {one.value for one in Predicate} else value


def replacement(identifier: str, name: str) -> str:
    """Say what an obsolete concept was replaced by."""
    return f"replaced by {identifier} {name}".rstrip() if identifier else "no replacement known"


def sections_of(found: Quality) -> list[Section]:
    """Give the page's sections in order."""
    totals = found.totals
    return [
        _counts(found),
        Section(
            "rejects",
            "Rejected records",
            "Records that could not be used; the others of the file were.",
            totals.get("rejects", 0),
            (
                _table(
                    "By source and reason",
                    "source|reason|#records|first at",
                    ((one.source, one.reason, one.count, ids_text(one.examples)) for one in found.rejects),
                ),
            ),
        ),
        *_concepts(found),
        *_hierarchy(found),
        _refused(found),
        _phenotypes(found),
        _licences(found),
        *([_coverage(found.coverage)] if found.coverage else []),
    ]


def _counts(found: Quality) -> Section:
    tables = [_table("Rows", "table|#rows", ((name, found.totals.get(name, 0)) for name in TABLES))]
    for table, kind in (("concepts", "category"), ("statements", "predicate")):
        rows = ((one.source, label(one.kind), one.count) for one in found.counts if one.table == table)
        tables.append(_table(f"{table.capitalize()} by source and {kind}", f"source|{kind}|#{table}", rows))
    about = "A statement of two sources counts for each."
    return Section("counts", "What the bundle holds", about, None, tuple(tables))


def _concepts(found: Quality) -> list[Section]:
    totals = found.totals
    return [
        Section(
            "dangling",
            "Concepts that no source declares",
            "Statements name them, and no source gives them a name: one is missing, or writes the id otherwise.",
            totals.get("dangling", 0),
            (
                _table(
                    "Those of most statements first",
                    "id|category|named by|#statements",
                    ((one.id, label(one.category), one.source, one.statements) for one in found.dangling),
                    totals.get("dangling"),
                ),
            ),
        ),
        Section(
            "duplicates",
            "Equal names, not merged",
            "Live concepts of one category whose names differ in case, accents and punctuation at most; no mapping "
            "joins them, or one was refused.",
            totals.get("duplicates", 0),
            (
                _table(
                    "The largest groups first",
                    "name|category|ids",
                    ((one.name, label(one.category), ids_text(one.ids)) for one in found.duplicates),
                    totals.get("duplicates"),
                ),
            ),
        ),
        Section(
            "singletons",
            "Concepts without a statement",
            "Live concepts that nothing is said of; retrieval never reaches them.",
            totals.get("singletons", 0),
            (
                _table(
                    "By source and category",
                    "source|category|#concepts|such as",
                    ((one.source, label(one.category), one.count, ids_text(one.ids[:5])) for one in found.singletons),
                ),
            ),
        ),
    ]


def _hierarchy(found: Quality) -> list[Section]:
    totals = found.totals
    return [
        Section(
            "cycles",
            "Cycles in the hierarchy",
            "Concepts that are, through others, a kind of themselves; a shortest way round is shown.",
            totals.get("cycles", 0),
            (
                _table(
                    "The largest first",
                    "#concepts|shortest way round|all ids",
                    (
                        (
                            one.size,
                            way_text([*map(_named, one.shortest, one.names)]),
                            ids_text(one.ids),
                        )
                        for one in found.cycles
                    ),
                    totals.get("cycles"),
                ),
            ),
        ),
        Section(
            "obsolete",
            "Obsolete concepts in use",
            "Their vocabulary has given them up, and statements still name them.",
            totals.get("obsolete", 0),
            (
                _table(
                    "Those of most statements first",
                    "id|name|source|#statements|replacement",
                    (
                        (o.id, o.name, o.source, o.statements, replacement(o.replaced_by, o.replacement))
                        for o in found.obsolete
                    ),
                    totals.get("obsolete"),
                ),
            ),
        ),
    ]


def _named(identifier: str, name: str) -> str:
    return f"{identifier} ({name})" if name and name != identifier else identifier


def _refused(found: Quality) -> Section:
    tables = []
    for reason, group in groupby(found.cliques, key=lambda one: one.reason):
        rows = ((str(one.number), ids_text(one.members), tuple(_mappings(one))) for one in group)
        total = found.totals[f"refused: {reason}"]
        tables.append(_table(reason.capitalize(), "#clique|ids|mappings that would have joined them", rows, total))
    return Section(
        "cliques",
        "Suspicious cliques",
        "Mappings say that these ids mean one thing. Something speaks against it, so they stay apart.",
        sum(n for name, n in found.totals.items() if name.startswith("refused: ")),
        tuple(tables),
    )


def _mappings(one: RefusedClique) -> list[str]:
    texts = [
        f"{_named(m.subject, m.subject_name)} {verb} {_named(m.object, m.object_name)} [{m.source}]"
        for m in one.mappings[:6]
        for verb in [_VERBS.get(m.predicate, m.predicate)]
    ]
    return [*texts, f"… {len(one.mappings) - 6} more"] if len(one.mappings) > 6 else texts


def _phenotypes(found: Quality) -> Section:
    ordered = sorted(found.phenotypes, key=lambda one: not one.missing)
    rows = (
        (one.id, one.name, ", ".join(one.missing), one.relations, one.codes, ids_text(one.matches, 6))
        for one in ordered
    )
    return Section(
        "phenotypes",
        "The phenotypes to be diagnosed",
        "A phenotype without relations cannot be argued for; one without codes or matching concept hangs on nothing "
        "that other sources say.",
        sum(bool(one.missing) for one in found.phenotypes),
        (_table("Those that lack something first", "id|name|lacks|#relations|#ICD codes|matching concepts", rows),),
    )


def _licences(found: Quality) -> Section:
    rows = (
        (one.source, one.status, one.version, one.licence, "yes" if one.open else "no", one.reason)
        for one in found.licences
    )
    columns = "source|status|version|licence|may be passed on|what to do"
    about = "Only what comes from open sources may be passed on."
    return Section("licences", "Sources and licences", about, None, (_table("Those not loaded first", columns, rows),))


def _coverage(parts: Sequence[Coverage]) -> Section:
    shares = (
        (
            one.what,
            one.distinct,
            share(one.distinct_covered, one.distinct),
            one.rows,
            share(one.rows_covered, one.rows),
            one.note,
        )
        for one in parts
    )
    tables = [_table("Shares", "codes|#distinct|#of them covered|#rows|#of them covered|note", shares)]
    for one in parts:
        if one.unmapped:
            caption = f"{one.what}: the most frequent that the graph does not have"
            if one.withheld:
                caption += f"; {one.withheld:,} more that too few patients have to be named"
            tables.append(_table(caption, "code|#rows", ((u.code, u.rows) for u in one.unmapped)))
    return Section(
        "coverage",
        "How much of the cohort is covered",
        "An ICD code counts as covered where the graph has it, or a code above it that is finer than three characters.",
        None,
        tuple(tables),
    )
