"""Loading a bundle into Neo4j as the difference to what is there.

One way for the first load, for a load that was cut off and for a new version of a source: every row has a fingerprint,
kept as ``_content``; what the server holds is read (fingerprints only), what the bundle lacks or has changed is
deleted, relationships first, and what the server lacks is created. Nothing is doubled, whatever happened before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import neo4j
import polars as pl

from ehr.errors import InputError, StoreError
from ehr.progress import Advance, bar, say
from kg.stores.base import BundleFiles
from kg.stores.manifest import manifest_of, manifest_text
from kg.stores.tables import GraphTables
from kg.vocabulary import Category, Predicate

LABELS = ("Concept", "Evidence", "Source", "Diagnosis", "Admission", "Bundle")
"""Node labels of the graph; concepts have their category as a second one."""
BATCH = 5_000

SCHEMA: tuple[str, ...] = (
    "CREATE CONSTRAINT concept_id IF NOT EXISTS FOR (n:Concept) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT evidence_id IF NOT EXISTS FOR (n:Evidence) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT source_id IF NOT EXISTS FOR (n:Source) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT diagnosis_id IF NOT EXISTS FOR (n:Diagnosis) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT admission_id IF NOT EXISTS FOR (n:Admission) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT bundle_id IF NOT EXISTS FOR (n:Bundle) REQUIRE n.id IS UNIQUE",
    "CREATE INDEX evidence_statement IF NOT EXISTS FOR (n:Evidence) ON (n.statement)",
    "CREATE INDEX concept_name IF NOT EXISTS FOR (n:Concept) ON (n.name)",
    "CREATE INDEX diagnosis_run IF NOT EXISTS FOR (n:Diagnosis) ON (n.run)",
    "CREATE FULLTEXT INDEX concept_words IF NOT EXISTS FOR (n:Concept) ON EACH [n.name, n.synonyms]",
)


def refuse_foreign(session: neo4j.Session, url: str) -> None:
    """Raise `InputError` where the database holds concepts that this project did not load."""
    text = (
        "OPTIONAL MATCH (b:Bundle {id: 'bundle'}) WITH count(b) AS ours "
        "RETURN ours, EXISTS { MATCH (:Concept) } OR EXISTS { MATCH (:Evidence) } AS filled"
    )
    found = session.run(text).single(strict=True)
    if found["filled"] and not found["ours"]:
        raise InputError(
            "the database holds :Concept or :Evidence nodes that were not loaded from a bundle",
            where=url,
            remedy="take an empty database",
        )


def prepare(session: neo4j.Session) -> None:
    """Create constraints and indexes and wait until they are online."""
    for statement in SCHEMA:
        session.run(statement).consume()
    session.run("CALL db.awaitIndexes(300)").consume()


def load_tables(session: neo4j.Session, bundle: BundleFiles, tables: GraphTables, url: str) -> None:
    """Make the database hold these rows; see the module.

    Raises:
        StoreError: where the numbers at the end are not those of the bundle.
    """
    _mark(session, "loading", None, None)
    parts = [*_parts(tables)]
    present = [_read(session, part) for part in parts]
    stale = sum(len(found.stale) for found in present)
    wanted = sum(part.rows.height for part in parts) - sum(len(found.current) for found in present)
    with bar("loading into Neo4j", stale + wanted) as advance:
        for part, found in reversed([*zip(parts, present, strict=True)]):
            _delete(session, part, found.stale, advance)
        for part, found in zip(parts, present, strict=True):
            _create(session, part, found.current, advance)
    _verify(session, parts, url)
    _mark(session, "ready", bundle.hash, manifest_text(manifest_of(bundle, tables)))


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that one statement creates.

    Attributes:
        kind: label of nodes or type of relationships.
        key: column that tells rows apart.
        rows: with the fingerprint of each in ``_content``.
    """

    kind: str
    relations: bool
    key: str
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Present:
    """What the database holds of a part: keys that are as they should be, and elements that are not."""

    current: set[str]
    stale: list[str]


def _parts(tables: GraphTables) -> Iterator[_Part]:
    """Give concepts, then relations by predicate, then evidence: the order of creation."""
    yield _part("Source", False, tables.sources, "id")
    yield _part("Concept", False, _whole(tables.concept_batches()), "id")
    for predicate in Predicate:
        yield _part(predicate.relationship, True, _whole(tables.relation_batches(predicate)), "statement")
    yield _part("Evidence", False, _whole(tables.evidence_batches()), "id")


def _whole(batches: Iterable[pl.DataFrame]) -> pl.DataFrame:
    held = [*batches]
    return pl.concat(held) if held else pl.DataFrame({"id": [], "statement": [], "category": []})


def _part(kind: str, relations: bool, frame: pl.DataFrame, key: str) -> _Part:
    contents = pl.Series("_content", [_content(row) for row in frame.iter_rows()], dtype=pl.String)
    return _Part(kind, relations, key, frame.with_columns(contents))


def _content(row: tuple[object, ...]) -> str:
    return hashlib.blake2b(json.dumps(row, ensure_ascii=False).encode(), digest_size=9).hexdigest()


def _read(session: neo4j.Session, part: _Part) -> _Present:
    text = (
        f"MATCH (:Concept)-[n:{part.kind}]->(:Concept) RETURN n.statement, n._content, elementId(n)"
        if part.relations
        else f"MATCH (n:{part.kind}) RETURN n.id, n._content, elementId(n)"
    )
    wanted: dict[str, str] | None = None
    current: set[str] = set()
    stale: list[str] = []
    for key, content, element in session.run(text):
        if wanted is None:  # only now, since a first load has nothing to compare with
            wanted = dict(part.rows.select(part.key, "_content").iter_rows())
        if key not in current and wanted.get(key) == content:
            current.add(key)
        elif part.kind != "Concept" or key not in wanted:
            stale.append(element)
    return _Present(current, stale)


def _delete(session: neo4j.Session, part: _Part, elements: Sequence[str], advance: Advance) -> None:
    if part.relations:
        text = "MATCH ()-[n]->() WHERE elementId(n) IN $elements DELETE n RETURN count(*)"
    elif part.kind != "Concept":
        text = "MATCH (n) WHERE elementId(n) IN $elements DELETE n RETURN count(*)"
    else:
        text = (
            "MATCH (n) WHERE elementId(n) IN $elements WITH n, EXISTS { (n)--() } AS held "
            "FOREACH (_ IN CASE WHEN held THEN [1] ELSE [] END | SET n.deprecated = true, n._content = 'gone') "
            "FOREACH (_ IN CASE WHEN held THEN [] ELSE [1] END | DELETE n) "
            "RETURN sum(CASE WHEN held THEN 0 ELSE 1 END)"
        )
    kept = 0
    for batch in _batches(elements):
        done = session.execute_write(_count, text, {"elements": batch})
        kept += len(batch) - done
        advance(len(batch))
    if kept and part.kind == "Concept":
        say(f"{kept} concepts that the bundle no longer has are still referred to; they stay, marked deprecated")


def _create(session: neo4j.Session, part: _Part, current: set[str], advance: Advance) -> None:
    missing = part.rows.filter(~pl.col(part.key).is_in(list(current))) if current else part.rows
    groups = missing.partition_by("category", as_dict=True) if part.kind == "Concept" else {("",): missing}
    for (category,), rows in sorted(groups.items()):
        text = _statement(part, str(category))
        for batch in rows.iter_slices(BATCH):
            done = session.execute_write(_count, text, {"rows": _values(part, batch)})
            if done != batch.height:
                raise StoreError(f"Neo4j made {done} of {batch.height} {part.kind}; load again")
            advance(batch.height)


def _statement(part: _Part, category: str) -> str:
    if part.relations:
        return (
            "UNWIND $rows AS row MATCH (a:Concept {id: row.subject}) MATCH (b:Concept {id: row.object}) "
            f"CREATE (a)-[r:{part.kind}]->(b) SET r = row.properties RETURN count(*)"
        )
    if part.kind != "Concept":
        return f"UNWIND $rows AS row CREATE (n:{part.kind}) SET n = row RETURN count(*)"
    label = Category(category).label
    # A concept whose category changed loses the old label; MERGE keeps what refers to it.
    others = "".join(f":{name}" for name in sorted({one.label for one in Category} - {label}))
    return (
        f"UNWIND $rows AS row MERGE (n:Concept {{id: row.id}}) SET n = row REMOVE n{others} SET n:{label} "
        "RETURN count(*)"
    )


def _values(part: _Part, batch: pl.DataFrame) -> list[dict[str, object]]:
    if not part.relations:
        return batch.to_dicts()
    return [
        {"subject": row.pop("subject"), "object": row.pop("object"), "properties": row}
        for row in batch.iter_rows(named=True)
    ]


def _verify(session: neo4j.Session, parts: Iterable[_Part], url: str) -> None:
    for part in parts:
        text = (
            f"MATCH (:Concept)-[n:{part.kind}]->(:Concept) RETURN count(n)"
            if part.relations
            else f"MATCH (n:{part.kind}) WHERE n._content <> 'gone' RETURN count(n)"
        )
        found = session.run(text).single(strict=True)[0]
        if found != part.rows.height:
            raise StoreError(f"{url}: holds {found} {part.kind}, the bundle has {part.rows.height}; load again")


def _mark(session: neo4j.Session, state: str, hash_: str | None, manifest: str | None) -> None:
    text = "MERGE (b:Bundle {id: 'bundle'}) SET b.state = $state, b.hash = $hash, b.manifest = $manifest"
    session.run(text, {"state": state, "hash": hash_, "manifest": manifest}).consume()


def _count(transaction: neo4j.ManagedTransaction, text: str, parameters: dict[str, object]) -> int:
    return int(transaction.run(text, parameters).single(strict=True)[0])


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch
