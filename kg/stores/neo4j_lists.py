"""Lists without elements after an import: Neo4j's import tool leaves them out, a load over Bolt does not.

An export (`kg.export.neo4j_admin`) writes on the ``Bundle`` node which lists are to be put; its ``constraints.cypher``
puts them, and so does a load that finds the node as the import left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import neo4j

from kg.stores.tables import CONCEPT_COLUMNS, EVIDENCE_COLUMNS, RELATION_COLUMNS
from kg.vocabulary import Predicate

UNFINISHED = "_lists"
"""Property of the ``Bundle`` node: texts ``KIND.PROPERTY``, a label or relationship type and the list's name."""
DONE = f"MATCH (b:Bundle {{id: 'bundle'}}) SET b.{UNFINISHED} = null"
_AT_ONCE = 20_000
_COLUMNS = {"Concept": CONCEPT_COLUMNS, "Evidence": EVIDENCE_COLUMNS}
_TYPES = frozenset(one.relationship for one in Predicate)


def putting(kind: str, name: str) -> str:
    """Give Cypher that puts a list where it is missing, some thousands in a transaction, one a core at a time.

    One list a statement: tried, that takes half the time of several with ``coalesce``.
    """
    pattern = f"()-[n:{kind}]->()" if kind in _TYPES else f"(n:{kind})"
    return (
        f"MATCH {pattern} WHERE n.{name} IS NULL "
        f"CALL (n) {{ SET n.{name} = [] }} IN CONCURRENT TRANSACTIONS OF {_AT_ONCE} ROWS"
    )


def complete_import(session: neo4j.Session) -> None:
    """Put the lists that an import left out, where the ``Bundle`` node says that there are some."""
    row = session.run(f"MATCH (b:Bundle {{id: 'bundle'}}) RETURN b.{UNFINISHED}").single()
    if row is None or not row[0]:
        return
    for kind, name in _known(row[0]):
        session.run(putting(kind, name)).consume()
    session.run(DONE).consume()


def _known(texts: Iterable[object]) -> Iterator[tuple[str, str]]:
    """Take the texts apart; what is no list of ours is left alone: it would become Cypher."""
    for text in texts:
        kind, _, name = str(text).partition(".")
        if name in _COLUMNS.get(kind, RELATION_COLUMNS if kind in _TYPES else ()):
            yield kind, name
