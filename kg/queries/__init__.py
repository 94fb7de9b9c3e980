"""The Cypher that the project ships: each file runs unchanged on every store.

``NAME.cypher`` gives a table, its twin ``NAME.graph.cypher`` paths that Neo4j Browser draws. The comment at the head of
a file says the question it answers, its parameters, its columns and the order of its rows; this module reads it from
there. Cypher cannot order the whole of a ``UNION`` in words that both stores know, so `run_evidence` orders the rows.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ehr.errors import InputError
from kg.stores.base import ROW_LIMIT, TIME_LIMIT, GraphStore, QueryResult
from kg.stores.guard import split_tokens

_PARAMETER = re.compile(r"(?P<name>\w+) \((?P<kind>text|list)(?:, default (?P<default>.+?))?\): (?P<what>.+)")
_GRAPH = ".graph.cypher"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a query is asked with; ``default`` is None where it must be given."""

    name: str
    kind: str
    what: str
    default: str | list[str] | None = None


@dataclass(frozen=True, slots=True)
class EvidenceQuery:
    """One of the questions that the graph answers.

    Attributes:
        name: of the file.
        question: in a sentence.
        inputs: its parameters with their meaning.
        columns: names, in order.
        order: column and whether it descends.
        text: Cypher that gives a table.
        graph_text: Cypher that gives paths, for Neo4j Browser.
    """

    name: str
    question: str
    inputs: tuple[Parameter, ...]
    columns: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]
    text: str
    graph_text: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return tuple(one.name for one in self.inputs)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the parameters without a default."""
        return tuple(one.name for one in self.inputs if one.default is None)


@cache
def evidence_queries() -> tuple[EvidenceQuery, ...]:
    """Give every evidence query, by name."""
    folder = files("kg.queries")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(_GRAPH))
    return tuple(
        _parse(
            name.removesuffix(_GRAPH),
            folder.joinpath(name.removesuffix(_GRAPH) + ".cypher").read_text(encoding="utf-8"),
            folder.joinpath(name).read_text(encoding="utf-8"),
        )
        for name in names
    )


def evidence_query(name: str) -> EvidenceQuery:
    """Give one query by its name; hyphens count as underscores.

    Raises:
        InputError: where there is none, naming the nearest.
    """
    known = {query.name: query for query in evidence_queries()}
    wanted = name.replace("-", "_").lower()
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise InputError(f"no evidence query {name!r}", remedy=hint)
    return known[wanted]


def run_evidence(
    store: GraphStore,
    name: str,
    parameters: Mapping[str, object],
    *,
    graph: bool = False,
    limit: int | None = ROW_LIMIT,
    timeout: float | None = TIME_LIMIT,
) -> QueryResult:
    """Ask a store one of the questions.

    Args:
        store: either store; the rows are equal.
        name: of the query.
        parameters: by name; those with a default may be left out.
        graph: ask its twin, which gives paths.
        limit: rows at most.
        timeout: seconds at most.

    Raises:
        InputError: for an unknown query or parameter, a missing parameter, or a value of the wrong kind.
    """
    query = evidence_query(name)
    values = complete(query, parameters)
    result = store.query(query.graph_text if graph else query.text, values, limit=None, timeout=timeout)
    if graph:
        rows = tuple(sorted(result.rows, key=lambda row: json.dumps(row, sort_keys=True, default=str)))
    else:
        rows = _ordered(result, query)
    cut = limit is not None and len(rows) > limit
    return QueryResult(result.columns, rows[:limit] if cut else rows, truncated=cut)


def complete(query: EvidenceQuery, parameters: Mapping[str, object]) -> dict[str, object]:
    """Check the parameters of a query and add the defaults; see `run_evidence` for the errors."""
    missing = [one for one in query.required if parameters.get(one) is None]
    if missing:
        needs = "; ".join(f"{one.name}: {one.what}" for one in query.inputs if one.name in missing)
        raise InputError(f"{query.name} needs {', '.join(missing)} ({needs})", remedy="give each with -p name=value")
    strange = sorted(set(parameters) - set(query.parameters))
    if strange:
        raise InputError(
            f"{query.name} has no parameter {strange[0]!r}", remedy=f"it has {', '.join(query.parameters)}"
        )
    values: dict[str, object] = {}
    for one in query.inputs:
        value = parameters.get(one.name)
        values[one.name] = one.default if value is None else _of_kind(query, one, value)
    return values


def browser_text(name: str, parameters: Mapping[str, object]) -> str:
    """Give the twin of a query with its values written into it: one text to paste into Neo4j Browser.

    Raises:
        InputError: as in `run_evidence`.
    """
    query = evidence_query(name)
    values = complete(query, parameters)
    return "".join(
        _literal(values[piece.text[1:]]) if piece.kind == "parameter" else piece.text
        for piece in split_tokens(query.graph_text)
    )


def _literal(value: object) -> str:
    """Write text or a list of texts as Cypher does."""
    if isinstance(value, list):
        return "[" + ", ".join(_literal(one) for one in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _of_kind(query: EvidenceQuery, parameter: Parameter, value: object) -> str | list[str]:
    if parameter.kind == "text" and isinstance(value, str):
        return value
    if parameter.kind == "list":
        if isinstance(value, str):
            return [value] if value else []
        if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(one, str) for one in value):
            return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    expected = "a text" if parameter.kind == "text" else "a list of texts"
    raise InputError(f"{query.name}: parameter {parameter.name} is {value!r:.60}, expected {expected}")


def _ordered(result: QueryResult, query: EvidenceQuery) -> tuple[tuple[object, ...], ...]:
    rows = sorted(result.rows, key=lambda row: json.dumps(row, default=str))
    for column, descending in reversed(query.order):
        at = result.columns.index(column)
        rows.sort(key=lambda row: _place(row[at]), reverse=descending)
    return tuple(rows)


def _place(value: object) -> tuple[bool, float, str]:
    """Order numbers, then text; what is missing comes first, and last where the order descends."""
    if isinstance(value, (int, float)):
        return (True, float(value), "")
    return (value is not None, 0.0, str(value))


def _parse(name: str, text: str, graph_text: str) -> EvidenceQuery:
    fields: dict[str, list[str]] = {}
    field = ""
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        content = line[2:]
        head = re.match(r" (Question|Parameters|Columns|Order):\s*(.*)", content)
        if head:
            field = head.group(1)
            fields[field] = [head.group(2)] if head.group(2) else []
        else:
            fields[field].append(content.strip())
    inputs = []
    for line in fields["Parameters"]:
        found = _PARAMETER.fullmatch(line)
        if found is None:
            raise ValueError(f"{name}.cypher: parameter {line!r} is not written as it should be")
        default = json.loads(found["default"]) if found["default"] else None
        inputs.append(Parameter(found["name"], found["kind"], found["what"], default))
    order = [part.strip().split() for part in fields["Order"][0].split(",")]
    return EvidenceQuery(
        name=name,
        question=" ".join(fields["Question"]),
        inputs=tuple(inputs),
        columns=tuple(part.strip() for part in fields["Columns"][0].split(",")),
        order=tuple((words[0], words[1:] == ["descending"]) for words in order),
        text=text,
        graph_text=graph_text,
    )
