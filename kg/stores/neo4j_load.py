"""Loading a bundle into Neo4j as the difference to what is there.

One way for the first load, for a load that was cut off and for a new version of a source: what the bundle lacks or has
changed is deleted, relationships first, and what the server lacks is created; a table of which the server holds nothing
is created without being compared. Nothing is doubled, whatever happened before; the numbers are counted at the end.

One session writes: a second one beside it, for the evidence alone, took as long on two cores (see
``benchmarks/neo4j_load.py``), and relationships of one hub wait for each other in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import neo4j
import polars as pl

from ehr.errors import StoreError
from ehr.progress import Advance, bar, say
from kg.search import WordCounts
from kg.stores.base import BundleFiles
from kg.stores.manifest import READY, manifest_of, manifest_text
from kg.stores.neo4j_difference import CONTENT, Difference, Noted, Part, compare, with_fingerprints
from kg.stores.neo4j_write import Writer
from kg.stores.tables import GraphTables
from kg.vocabulary import Category, Predicate

_ENDS = ("subject", "object")
_HELD = (
    "MATCH (n) WHERE elementId(n) IN $elements WITH n, EXISTS { (n)--() } AS held "
    f"FOREACH (_ IN CASE WHEN held THEN [1] ELSE [] END | SET n.deprecated = true, n.{CONTENT} = null) "
    "FOREACH (_ IN CASE WHEN held THEN [] ELSE [1] END | DELETE n) "
    "RETURN sum(CASE WHEN held THEN 1 ELSE 0 END)"
)


def load_tables(session: neo4j.Session, bundle: BundleFiles, tables: GraphTables, url: str) -> None:
    """Make the database hold these rows; see the module.

    Args:
        session: open for writing.
        bundle: whose hash and manifest are recorded.
        tables: its rows.
        url: for messages.

    Raises:
        StoreError: where the numbers at the end are not those of the bundle, or another load ran meanwhile.
    """
    token = uuid4().hex
    parts = [*_parts(tables)]
    _begin(session, token)
    for again in (False, True):
        _apply(session, parts, url)
        wrong = [*_miscounted(session, parts)]
        if not wrong:
            break
        if again:
            raise StoreError(f"{url}: {wrong[0]}; load again")
        say(f"{wrong[0]}: comparing once more")
    _finish(session, token, bundle, tables, url)


def _parts(tables: GraphTables) -> Iterator[Part]:
    """Give sources, concepts, relations by predicate, then evidence: the order of creation."""
    yield Part("Source", False, lambda: iter([tables.sources]), tables.sources.height)
    yield Part("Concept", False, tables.concept_batches, tables.concepts)
    for predicate in Predicate:
        yield Part(
            predicate.relationship,
            True,
            lambda predicate=predicate: tables.relation_batches(predicate),  # type: ignore[misc]
            tables.relations.get(predicate, 0),
        )
    yield Part("Evidence", False, tables.evidence_batches, tables.evidence)


def _apply(session: neo4j.Session, parts: list[Part], url: str) -> None:
    with ExitStack() as stack:
        found: dict[str, Difference] = {}
        counts = _counts(session, parts)
        for part in parts:
            if counts[part.kind]:
                found[part.kind] = compare(session, part, stack.enter_context(Noted()))
        todo = sum(found[part.kind].lacking if part.kind in found else part.rows for part in parts)
        todo += sum(one.stale.number for one in found.values())
        advance = stack.enter_context(bar("loading into Neo4j", todo))
        writer = Writer(session, url)
        for part in reversed(parts):
            if part.kind in found:
                _delete(writer, part, found[part.kind].stale, advance)
        for part in parts:
            _create(writer, part, found.get(part.kind), advance)


def _counts(session: neo4j.Session, parts: list[Part]) -> dict[str, int]:
    """Count every label and type in one query; Neo4j keeps these numbers."""
    texts = (
        f"MATCH {'()-[n:' + one.kind + ']->()' if one.relations else one.pattern} "
        f"WITH count(n) AS number RETURN '{one.kind}' AS kind, number"
        for one in parts
    )
    # Neo4j gives no row at all for a type that the database has never had.
    none = dict.fromkeys((one.kind for one in parts), 0)
    return none | {row["kind"]: row["number"] for row in session.run(" UNION ALL ".join(texts))}


def _delete(writer: Writer, part: Part, stale: Noted, advance: Advance) -> None:
    if part.kind == "Concept":
        text = _HELD
    else:
        element = "()-[n]->()" if part.relations else "(n)"
        text = f"MATCH {element} WHERE elementId(n) IN $elements DELETE n RETURN sum(0)"
    kept = sum(writer.delete(text, batch, advance) for batch in stale.batches())
    if kept:
        say(f"{kept} concepts that the bundle no longer has are still referred to; they stay, marked deprecated")


def _create(writer: Writer, part: Part, difference: Difference | None, advance: Advance) -> None:
    if difference is not None and not difference.lacking:
        return
    for batch in part.batches():
        rows = with_fingerprints(batch)
        if difference is not None:
            rows = rows.filter(difference.lacks(rows[CONTENT].to_numpy()))
        groups = rows.partition_by("category", as_dict=True) if part.kind == "Concept" else {("",): rows}
        for (category,), group in sorted(groups.items()):
            if group.height:
                fresh = difference is None
                writer.write(_statement(part, group, str(category), fresh=fresh), group, advance)


def _statement(part: Part, rows: pl.DataFrame, category: str, *, fresh: bool) -> str:
    names = [name for name in rows.columns if not (part.relations and name in _ENDS)]
    properties = "{" + ", ".join(f"{name}: ${name}[i]" for name in names) + "}"
    each = "UNWIND range(0, $n - 1) AS i "
    if part.relations:
        return (
            f"{each}MATCH (a:Concept {{id: $subject[i]}}) MATCH (b:Concept {{id: $object[i]}}) "
            f"CREATE (a)-[:{part.kind} {properties}]->(b) RETURN count(*)"
        )
    if part.kind != "Concept":
        return f"{each}CREATE (:{part.kind} {properties}) RETURN count(*)"
    label = Category(category).label
    if fresh:
        return f"{each}CREATE (:Concept:{label} {properties}) RETURN count(*)"
    # A concept whose category changed loses the old label; MERGE keeps what refers to it.
    others = "".join(f":{name}" for name in sorted({one.label for one in Category} - {label}))
    return f"{each}MERGE (n:Concept {{id: $id[i]}}) SET n = {properties} REMOVE n{others} SET n:{label} RETURN count(*)"


def _miscounted(session: neo4j.Session, parts: list[Part]) -> Iterator[str]:
    """Say which tables are not as long as the bundle's; concepts that only stay are left out."""
    counts = _counts(session, parts)
    for part in parts:
        held = counts[part.kind]
        if held != part.rows:  # looked at closely: others may have relationships of that name, and some concepts stay
            where = f" WHERE n.{CONTENT} IS NOT NULL" if part.kind == "Concept" else ""
            held = session.run(f"MATCH {part.pattern}{where} RETURN count(n)").single(strict=True)[0]
        if held != part.rows:
            yield f"the database holds {held} {part.kind}, the bundle has {part.rows}"


def _begin(session: neo4j.Session, token: str) -> None:
    text = (
        "MERGE (b:Bundle {id: 'bundle'}) SET b.state = 'loading', b.loader = $token, b.hash = null, b.manifest = null, "
        "b._words = null RETURN 0"
    )
    session.execute_write(lambda transaction: transaction.run(text, {"token": token}).consume())


def _finish(session: neo4j.Session, token: str, bundle: BundleFiles, tables: GraphTables, url: str) -> None:
    text = (
        "MATCH (b:Bundle {id: 'bundle', loader: $token}) "
        "SET b.state = $state, b.loader = null, b.hash = $hash, b.manifest = $manifest, b._words = $words "
        "RETURN count(b)"
    )
    values = {
        "token": token,
        "state": READY,
        "hash": bundle.hash,
        "manifest": manifest_text(manifest_of(bundle, tables)),
        "words": WordCounts.of(tables.concept_batches()).packed(),
    }
    done = session.execute_write(lambda transaction: transaction.run(text, values).single(strict=True)[0])
    if done != 1:
        raise StoreError(f"{url}: another load began while this one ran; wait until it is done, then load again")
