"""Lists without elements after an import: Neo4j's import tool leaves them out, a load over Bolt does not.

An export (`kg.export.neo4j_admin`) writes on the ``Bundle`` node which lists are to be put; its ``constraints.cypher``
puts them, and so does a load that finds the node as the import left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import neo4j

from kg.stores.tables import CONCEPT_COLUMNS, EVIDENCE_COLUMNS, RELATION_COLUMNS
from kg.vocabulary import Predicate

UNFINISHED = "_lists"
"""Property of the ``Bundle`` node: texts ``KIND.PROPERTY``, a label or relationship type and the list's name."""
DONE = f"MATCH (b:Bundle {{id: 'bundle'}}) SET b.{UNFINISHED} = null"
_AT_ONCE = 20_000
_COLUMNS = {"Concept": CONCEPT_COLUMNS, "Evidence": EVIDENCE_COLUMNS}
_TYPES = frozenset(one.relationship for one in Predicate)


def putting(kind: str, names: Sequence[str]) -> str:
    """Give Cypher that puts lists where they are missing, some thousands in a transaction, one a core at a time."""
    pattern = f"()-[n:{kind}]->()" if kind in _TYPES else f"(n:{kind})"
    missing = " OR ".join(f"n.{name} IS NULL" for name in names)
    if len(names) == 1:
        puts = f"n.{names[0]} = []"
    else:
        puts = "n += {" + ", ".join(f"{name}: coalesce(n.{name}, [])" for name in names) + "}"
    return f"MATCH {pattern} WHERE {missing} CALL (n) {{ SET {puts} }} IN CONCURRENT TRANSACTIONS OF {_AT_ONCE} ROWS"


def complete_import(session: neo4j.Session) -> None:
    """Put the lists that an import left out, where the ``Bundle`` node says that there are some."""
    row = session.run(f"MATCH (b:Bundle {{id: 'bundle'}}) RETURN b.{UNFINISHED}").single()
    if row is None or not row[0]:
        return
    for kind, names in _known(row[0]).items():
        session.run(putting(kind, names)).consume()
    session.run(DONE).consume()


def _known(texts: Iterable[object]) -> dict[str, list[str]]:
    """Take the texts apart; what is no list of ours is left alone: it would become Cypher."""
    found: dict[str, list[str]] = {}
    for text in texts:
        kind, _, name = str(text).partition(".")
        columns = _COLUMNS.get(kind, RELATION_COLUMNS if kind in _TYPES else ())
        if name in columns:
            found.setdefault(kind, []).append(name)
    return found
