"""Constraints and indexes of the graph in Neo4j: made before the first row, waited for, and looked at.

A load without its indexes is slow by orders of magnitude, so one that is missing, not online or other than declared is
an error here. Source: Neo4j Cypher manual, "Create constraints", "Full-text indexes" and "Show indexes".
"""

from __future__ import annotations

from dataclasses import dataclass

import neo4j
from neo4j.exceptions import ClientError, Neo4jError, TransientError

from ehr.errors import InputError, StoreError
from kg.stores.neo4j_errors import one_line

LABELS = ("Concept", "Evidence", "Source", "Diagnosis", "Admission", "Bundle")
"""Node labels of the graph; concepts have their category as a second one."""

WAIT = 600
"""Seconds that an index may take to come online."""
WORDS_INDEX = "concept_words"
EQUIVALENTS_INDEX = "concept_equivalents"


@dataclass(frozen=True, slots=True)
class Index:
    """An index as it is declared.

    Attributes:
        kind: UNIQUE (a constraint with its index), RANGE or FULLTEXT.
        analyzer: of a full-text index.
    """

    name: str
    kind: str
    label: str
    properties: tuple[str, ...]
    analyzer: str = ""

    @property
    def statement(self) -> str:
        """Cypher that makes it where no index of this name is there."""
        if self.kind == "UNIQUE":
            what = f"REQUIRE n.{self.properties[0]} IS UNIQUE"
            return f"CREATE CONSTRAINT {self.name} IF NOT EXISTS FOR (n:{self.label}) {what}"
        if self.kind == "RANGE":
            return f"CREATE INDEX {self.name} IF NOT EXISTS FOR (n:{self.label}) ON (n.{self.properties[0]})"
        each = ", ".join(f"n.{one}" for one in self.properties)
        options = f"OPTIONS {{indexConfig: {{`fulltext.analyzer`: '{self.analyzer}'}}}}"
        return f"CREATE FULLTEXT INDEX {self.name} IF NOT EXISTS FOR (n:{self.label}) ON EACH [{each}] {options}"


INDEXES = (
    *(Index(f"{label.lower()}_id", "UNIQUE", label, ("id",)) for label in LABELS),
    Index("evidence_statement", "RANGE", "Evidence", ("statement",)),
    Index("concept_name", "RANGE", "Concept", ("name",)),
    Index("diagnosis_run", "RANGE", "Diagnosis", ("run",)),
    Index(WORDS_INDEX, "FULLTEXT", "Concept", ("name", "synonyms"), "standard-folding"),
    Index(EQUIVALENTS_INDEX, "FULLTEXT", "Concept", ("equivalents",), "keyword"),
)


def refuse_foreign(session: neo4j.Session, url: str) -> None:
    """Raise `InputError` where the database holds nodes, and none says that a bundle was loaded."""
    text = "OPTIONAL MATCH (b:Bundle {id: 'bundle'}) WITH count(b) AS ours RETURN ours, EXISTS { MATCH () } AS filled"
    found = session.run(text).single(strict=True)
    if found["filled"] and not found["ours"]:
        raise InputError(
            "the database is not empty, and what it holds was not loaded from a bundle",
            where=url,
            remedy="take an empty database",
        )


def prepare(session: neo4j.Session, url: str) -> None:
    """Make constraints and indexes, wait until they are online, and check that they are as declared.

    Raises:
        InputError: for one that the database has otherwise, naming what to drop.
        StoreError: for one that failed, or is not online after `WAIT` seconds.
    """
    for name, found in _present(session).items():
        wanted = next((one for one in INDEXES if one.name == name), None)
        if wanted is not None and wanted.kind == "FULLTEXT" and _other(wanted, found):
            session.run(f"DROP INDEX {name} IF EXISTS").consume()  # of an earlier version; it holds no data of its own
    for one in INDEXES:
        try:
            session.run(one.statement).consume()
        except ClientError as error:
            if ".Schema." not in (error.code or ""):
                raise
            raise InputError(
                f"cannot make {one.name} ({one_line(error)})",
                where=url,
                remedy="drop what stands in its way, or take an empty database",
            ) from error
    try:
        session.run(f"CALL db.awaitIndexes({WAIT})").consume()
    except (ClientError, TransientError) as error:
        raise StoreError(f"{url}: indexes did not come online ({_failed(session) or one_line(error)})") from error
    check(session, url)


def check(session: neo4j.Session, url: str) -> None:
    """Raise where an index is missing, not online or other than declared; see `prepare`."""
    present = _present(session)
    for one in INDEXES:
        found = present.get(one.name)
        if found is None:
            raise StoreError(f"{url}: index {one.name} is missing though it was just made; load again")
        if _other(one, found):
            shown = f"{found['type']} on {found['labelsOrTypes']} {found['properties']}"
            raise InputError(f"the database has another index named {one.name} ({shown})", where=url, remedy="drop it")
        if found["state"] != "ONLINE":
            raise StoreError(f"{url}: index {one.name} is {found['state']}: {found['failureMessage']}")


def _present(session: neo4j.Session) -> dict[str, neo4j.Record]:
    wanted = "name, type, state, labelsOrTypes, properties, options, owningConstraint, failureMessage"
    return {row["name"]: row for row in session.run(f"SHOW INDEXES YIELD {wanted}")}


def _other(wanted: Index, found: neo4j.Record) -> bool:
    kind = "UNIQUE" if found["type"] == "RANGE" and found["owningConstraint"] else found["type"]
    same = (kind, found["labelsOrTypes"], found["properties"]) == (wanted.kind, [wanted.label], [*wanted.properties])
    analyzer = found["options"]["indexConfig"].get("fulltext.analyzer", "")
    return not same or (wanted.kind == "FULLTEXT" and analyzer != wanted.analyzer)


def _failed(session: neo4j.Session) -> str:
    try:
        rows = [row for row in _present(session).values() if row["state"] == "FAILED"]
    except Neo4jError:
        return ""
    return "; ".join(f"{row['name']}: {' '.join(row['failureMessage'].split())[:200]}" for row in rows)
