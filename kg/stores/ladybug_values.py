"""Ladybug's nodes, relationships and paths as the plain values of `QueryResult`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kg.stores.base import QueryResult


def fetch(result: Any, limit: int | None) -> QueryResult:
    """Read the rows of a result, at most ``limit`` of them."""
    columns = tuple(result.get_column_names())
    rows: list[tuple[object, ...]] = []
    while result.has_next():
        if limit is not None and len(rows) == limit:
            return QueryResult(columns, tuple(rows), truncated=True)
        rows.append(tuple(_plain(value) for value in result.get_next()))
    return QueryResult(columns, tuple(rows))


def _plain(value: object) -> object:
    """Turn Ladybug's nodes, relationships and paths into the dictionaries of `QueryResult`."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "_NODES" in value:
        if any(part["_ID"] is None for part in (*value["_NODES"], *value["_RELS"])):
            return None  # an optional path that was not found
        ids = {_place(node["_ID"]): node.get("id") for node in value["_NODES"]}
        relationships = [
            {**_entity(one, "_type"), "_from": ids.get(_place(one["_SRC"])), "_to": ids.get(_place(one["_DST"]))}
            for one in value["_RELS"]
        ]
        nodes = _once(value["_NODES"], len(relationships) + 1)
        return {"nodes": [_entity(node, "_label") for node in nodes], "relationships": relationships}
    if "_LABEL" in value:
        return _entity(value, "_type" if "_SRC" in value else "_label")
    return {name: _plain(one) for name, one in value.items()}


def _once(nodes: Sequence[Mapping[str, Any]], number: int) -> list[Mapping[str, Any]]:
    """Drop what Ladybug repeats: the node at which a part of a path of length zero begins and ends."""
    kept: list[Mapping[str, Any]] = []
    spare = len(nodes) - number
    for node in nodes:
        if spare > 0 and kept and _place(kept[-1]["_ID"]) == _place(node["_ID"]):
            spare -= 1
        else:
            kept.append(node)
    return kept


def _entity(value: Mapping[str, Any], kind: str) -> dict[str, object]:
    properties = {name: one for name, one in value.items() if not name.startswith("_") and one is not None}
    return {kind: value["_LABEL"], **properties}


def _place(id_: Mapping[str, int]) -> tuple[int, int]:
    return id_["table"], id_["offset"]
