"""Graph stores: the embedded one and Neo4j, behind one protocol, picked by address."""

from __future__ import annotations

from pathlib import Path

from ehr.errors import InputError
from kg.stores.base import (
    ROW_LIMIT,
    TIME_LIMIT,
    BundleFiles,
    DiagnosisRecord,
    GraphStore,
    QueryResult,
    StoreManifest,
    Support,
    pseudonym,
)
from kg.stores.guard import check_query

__all__ = [
    "ROW_LIMIT",
    "TIME_LIMIT",
    "BundleFiles",
    "DiagnosisRecord",
    "GraphStore",
    "QueryResult",
    "StoreManifest",
    "Support",
    "check_query",
    "open_store",
    "pseudonym",
]

NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")


def open_store(url: str, *, read_only: bool = True) -> GraphStore:
    """Open a graph store.

    Args:
        url: ``ladybug:PATH`` for the embedded store; ``neo4j://HOST:PORT`` or ``bolt://HOST:PORT`` (with ``+s`` or
            ``+ssc`` for encryption) for a Neo4j server, whose user and password come from the environment variables
            ``NEO4J_USERNAME`` and ``NEO4J_PASSWORD``, and its database from ``NEO4J_DATABASE`` where that is set.
        read_only: False where `load` or `write_diagnoses` is to be called.

    Raises:
        InputError: for an unknown scheme, a store that is not there, a server that does not answer or does not accept
            user and password.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "ladybug":
        if not rest or rest.startswith("//"):
            raise InputError("expected ladybug:PATH", where=url, remedy="for example ladybug:graph/graph.lbug")
        from kg.stores.ladybug_store import LadybugStore

        return LadybugStore(Path(rest), read_only=read_only)
    if colon and scheme in NEO4J_SCHEMES:
        from kg.stores.neo4j_store import Neo4jStore

        return Neo4jStore(url, read_only=read_only)
    known = ", ".join(["ladybug:PATH", *(f"{name}://HOST" for name in NEO4J_SCHEMES)])
    shown = f"scheme {scheme!r}" if colon and "/" not in scheme else "no scheme"
    raise InputError(f"a store's address has {shown}", remedy=f"expected one of {known}")
