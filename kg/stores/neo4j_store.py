"""Neo4j as a store; everything that is particular to it stands here and in `kg.stores.neo4j_load`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import neo4j
from neo4j import NotificationMinimumSeverity
from neo4j.graph import Node, Path, Relationship

from ehr.errors import InputError, StoreError
from ehr.progress import bar, say
from kg.search import Hit
from kg.stores import neo4j_write
from kg.stores.base import (
    ROW_LIMIT,
    TIME_LIMIT,
    BundleFiles,
    DiagnosisRecord,
    QueryResult,
    StoreManifest,
    check_diagnoses,
    concepts_of,
    unknown_concepts,
)
from kg.stores.guard import bind, check_query
from kg.stores.manifest import READY, parse_manifest
from kg.stores.neo4j_errors import clear_errors, query_errors
from kg.stores.neo4j_lists import complete_import
from kg.stores.neo4j_load import load_tables
from kg.stores.neo4j_schema import LABELS, prepare, refuse_foreign
from kg.stores.neo4j_search import search
from kg.stores.tables import GraphTables

# What goes wrong is said once, in our own words; without a handler Python would print the driver's beside them.
logging.getLogger("neo4j").addHandler(logging.NullHandler())

_ADMISSIONS_AT_ONCE = 200
_NODES_AT_ONCE = 2_000

_WRITE = """
UNWIND $rows AS row
MERGE (a:Admission {id: row.admission})
WITH a, row
MATCH (c:Concept {id: row.disease})
CREATE (a)-[:HAS_DIAGNOSIS]->(d:Diagnosis {id: row.id, probability: row.probability, rank: row.rank, run: $run,
        caption: coalesce(c.caption, c.id)})-[:OF]->(c)
WITH d, row
UNWIND row.support AS link
MATCH (f:Concept {id: link.concept})
CREATE (d)-[s:SUPPORTED_BY {weight: link.weight}]->(f)
SET s.statement = link.statement
"""
_FORGET = """
MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)
WHERE a.id IN $admissions AND d.run = $run
DETACH DELETE d
"""


class Neo4jStore:
    """A graph store in a Neo4j server, 5.26 or later, Community edition suffices."""

    def __init__(self, url: str, *, read_only: bool = True) -> None:
        """Connect; user, password and database come from the environment.

        Raises:
            InputError: where the server does not answer or does not accept user and password, or these are not set.
        """
        self._url, self._read_only = _address(url), read_only
        user, password = os.environ.get("NEO4J_USERNAME"), os.environ.get("NEO4J_PASSWORD")
        missing = [name for name, value in (("NEO4J_USERNAME", user), ("NEO4J_PASSWORD", password)) if not value]
        if missing:
            raise InputError(f"{' and '.join(missing)} not set in the environment", where=self._url)
        self._database = os.environ.get("NEO4J_DATABASE") or None
        self._driver: neo4j.Driver | None = None
        with self._clear_errors():
            driver = neo4j.GraphDatabase.driver(
                url,
                auth=(str(user), str(password)),
                connection_timeout=10,
                connection_acquisition_timeout=20,
                max_transaction_retry_time=neo4j_write.RETRY_SECONDS,
                notifications_min_severity=NotificationMinimumSeverity.OFF,
                user_agent="clinragen",
            )
            try:
                driver.verify_connectivity()
                with driver.session(database=self._database) as session:
                    session.run("RETURN 1").consume()
            except BaseException:
                driver.close()
                raise
            self._driver = driver

    @property
    def url(self) -> str:
        """Address of the store, without credentials."""
        return self._url

    @property
    def manifest(self) -> StoreManifest:
        """What was loaded; nothing while a load is not finished."""
        with self._clear_errors(), self._session() as session:
            found = session.run("MATCH (b:Bundle {id: 'bundle'}) RETURN b.state, b.hash, b.manifest").single()
        return parse_manifest(found[1], found[2]) if found and found[0] == READY else StoreManifest(hash=None)

    def load(self, bundle: BundleFiles, *, force: bool = False) -> StoreManifest:
        """Apply the difference between the bundle and what the server holds; see `GraphStore.load`.

        Every batch is a transaction of its own, and the difference is taken from what is there: a load that was cut
        off goes on where it stopped. Concepts that the bundle no longer has, but that something else in the database
        refers to, stay, marked deprecated.
        """
        self._writable()
        if self.manifest.hash == bundle.hash and not force:
            say(f"{self._url} already holds this bundle")
            return self.manifest
        neo4j_write.batch_bytes()  # a setting that is wrong is said before anything is touched
        tables = GraphTables(bundle)
        with self._clear_errors(loading=True), self._session(write=True) as session:
            refuse_foreign(session, self._url)
            complete_import(session)
            prepare(session, self._url)
            load_tables(session, bundle, tables, self._url)
        return self.manifest

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, object] | None = None,
        *,
        read_only: bool = True,
        limit: int | None = ROW_LIMIT,
        timeout: float | None = TIME_LIMIT,
    ) -> QueryResult:
        """Run one statement; see `GraphStore.query`."""
        if not read_only:
            self._writable()
        checked = check_query(cypher, write=not read_only)
        values = bind(checked, parameters or {})
        with (
            query_errors(self._url, timeout),
            self._session(write=not read_only) as session,
            session.begin_transaction(timeout=timeout) as transaction,
        ):
            result = transaction.run(checked.text, values)
            columns = tuple(result.keys())
            records = list(result) if limit is None else result.fetch(limit + 1)
            rows = tuple(tuple(_plain(value) for value in record.values()) for record in records)
            if not read_only:
                result.consume()
                transaction.commit()
        cut = limit is not None and len(rows) > limit
        return QueryResult(columns, rows[:limit] if cut else rows, truncated=cut)

    def search(self, words: str, limit: int = 20) -> list[Hit]:
        """Find concepts; see `GraphStore.search`."""
        with self._clear_errors(), self._session() as session:
            return search(session, words, limit, self._url)

    def write_diagnoses(self, run: str, diagnoses: Sequence[DiagnosisRecord]) -> int:
        """Record diagnoses, some admissions a transaction; see `GraphStore.write_diagnoses`."""
        self._writable()
        records = check_diagnoses(run, diagnoses)
        with self._clear_errors(), self._session(write=True) as session:
            prepare(session, self._url)
            found = session.run(
                "MATCH (c:Concept) WHERE c.id IN $ids RETURN c.id", {"ids": sorted(concepts_of(records))}
            ).value()
            unknown_concepts(records, set(found), self._url)
            admissions = [list(group) for _, group in groupby(records, key=lambda record: record.admission)]
            with bar("writing diagnoses", len(admissions)) as advance:
                for start in range(0, len(admissions), _ADMISSIONS_AT_ONCE):
                    batch = admissions[start : start + _ADMISSIONS_AT_ONCE]
                    session.execute_write(_write_batch, run, [record for group in batch for record in group])
                    advance(len(batch))
        return len(records)

    def remove_diagnoses(self, run: str | None = None) -> int:
        """Remove diagnoses and the admissions left without any; see `GraphStore.remove_diagnoses`."""
        self._writable()
        removed = 0
        with self._clear_errors(), self._session(write=True) as session:
            while step := session.execute_write(_remove_some, run):
                removed += step
            while session.execute_write(_remove_lonely):
                pass
        return removed

    def close(self) -> None:
        """Close the connections."""
        if self._driver is not None:
            self._driver.close()
        self._driver = None

    def __enter__(self) -> Self:
        """Give the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    def _session(self, *, write: bool = False) -> neo4j.Session:
        if self._driver is None:
            raise StoreError(f"{self._url}: the store is closed")
        mode = neo4j.WRITE_ACCESS if write else neo4j.READ_ACCESS
        return self._driver.session(database=self._database, default_access_mode=mode, fetch_size=5_000)

    def _writable(self) -> None:
        if self._read_only:
            raise InputError("is open for reading only", where=self._url, remedy="open it with read_only=False")

    def _clear_errors(self, *, loading: bool = False) -> AbstractContextManager[None]:
        return clear_errors(self._url, loading=loading)


def _address(url: str) -> str:
    """Check an address and give it as it may be shown."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise InputError("a store's address has a port that is no number from 0 to 65535") from error
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "a store's address must not hold user or password", remedy="set NEO4J_USERNAME and NEO4J_PASSWORD instead"
        )
    if not parts.hostname:
        raise InputError("a store's address has no host", remedy="expected for example neo4j://127.0.0.1:7687")
    if parts.path not in {"", "/"} or (parts.query and not parts.scheme.startswith("neo4j")):
        raise InputError("a store's address ends with host and port", remedy="choose the database with NEO4J_DATABASE")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _write_batch(transaction: neo4j.ManagedTransaction, run: str, records: Sequence[DiagnosisRecord]) -> None:
    transaction.run(_FORGET, {"run": run, "admissions": sorted({one.admission for one in records})}).consume()
    rows = [
        {
            "admission": one.admission,
            "id": one.id(run),
            "disease": one.disease,
            "probability": float(one.probability),
            "rank": one.rank,
            "support": [
                {"concept": link.concept, "weight": float(link.weight), "statement": link.statement}
                for link in one.support
            ],
        }
        for one in records
    ]
    transaction.run(_WRITE, {"run": run, "rows": rows}).consume()


def _remove_some(transaction: neo4j.ManagedTransaction, run: str | None) -> int:
    text = "MATCH (d:Diagnosis) WHERE $run IS NULL OR d.run = $run WITH d LIMIT $limit DETACH DELETE d RETURN count(*)"
    return int(transaction.run(text, {"run": run, "limit": _NODES_AT_ONCE}).single(strict=True)[0])


def _remove_lonely(transaction: neo4j.ManagedTransaction) -> int:
    text = (
        "MATCH (a:Admission) WHERE NOT EXISTS { (a)-[:HAS_DIAGNOSIS]->() } WITH a LIMIT $limit "
        "DETACH DELETE a RETURN count(*)"
    )
    return int(transaction.run(text, {"limit": _NODES_AT_ONCE}).single(strict=True)[0])


def _plain(value: object) -> object:
    """Turn the driver's values into the plain ones of `QueryResult`."""
    if isinstance(value, Node):
        return {"_label": _label(value), **_properties(value)}
    if isinstance(value, Relationship):
        return {"_type": value.type, **_properties(value)}
    if isinstance(value, Path):
        ids = {node.element_id: node.get("id") for node in value.nodes}
        relationships = [
            {"_type": one.type, **_properties(one), "_from": _end(one, 0, ids), "_to": _end(one, 1, ids)}
            for one in value.relationships
        ]
        return {"nodes": [_plain(node) for node in value.nodes], "relationships": relationships}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return value.iso_format() if hasattr(value, "iso_format") else str(value)


def _label(node: Node) -> str:
    return next((label for label in LABELS if label in node.labels), min(node.labels, default=""))


def _end(relationship: Relationship, end: int, ids: Mapping[str, object]) -> object:
    node = relationship.nodes[end]
    return ids.get(node.element_id) if node is not None else None


def _properties(entity: Node | Relationship) -> dict[str, object]:
    return {name: _plain(one) for name, one in entity.items() if not name.startswith("_")}
