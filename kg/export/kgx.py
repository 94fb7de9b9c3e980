"""KGX: nodes and edges by the Biolink model, as tables (TSV) and as JSON Lines.

One edge an evidence: Biolink lets an edge have one primary knowledge source, and so each edge keeps its own
citations, frequency and ids as written. Predicates that Biolink lacks are the nearest that it has (`NEAREST`);
the graph's own stands in ``original_predicate``.

Specification: https://github.com/biolink/kgx, ``docs/kgx_format.md``; Biolink model 4.4.6. In tables, lists are
parted by ``|`` and nothing can be quoted: tabs and line ends within values become blanks, ``|`` within an element
``¦``. JSON Lines carry every value as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ehr.progress import bar
from kg.bundle import Bundle
from kg.content import quoted
from kg.export.derived import rows_of
from kg.export.iri_sql import define_iris
from kg.export.licences import terms_of
from kg.export.lines import define_map, quoted_sql, workbench, write_query
from kg.vocabulary import Predicate

NEAREST: dict[Predicate, str] = {
    Predicate.HAS_COMPLICATION: "biolink:contributes_to",
    Predicate.DIFFERENTIAL_WITH: "biolink:similar_to",
    Predicate.HAS_HIGH_MEASUREMENT: "biolink:positively_correlated_with",
    Predicate.HAS_LOW_MEASUREMENT: "biolink:negatively_correlated_with",
    Predicate.HIGH_INDICATES: "biolink:positively_correlated_with",
    Predicate.LOW_INDICATES: "biolink:negatively_correlated_with",
    Predicate.NORMAL_INDICATES: "biolink:correlated_with",
    Predicate.PALLIATES: "biolink:ameliorates_condition",
    Predicate.HAS_INGREDIENT: "biolink:has_part",
    Predicate.MEASURES: "biolink:related_to",
}
"""The Biolink predicate that says no more than ours, for those that Biolink 4.4.6 lacks."""

_ASSERTED = "knowledge_assertion"
_LEVELS: dict[str, tuple[str, str]] = {
    "bridge": (_ASSERTED, "manual_agent"),
    "phenotypes": (_ASSERTED, "manual_agent"),
    "series": (_ASSERTED, "manual_agent"),
    "icd10cm": (_ASSERTED, "manual_agent"),
    "obo": (_ASSERTED, "manual_agent"),
    "hpoa": (_ASSERTED, "manual_agent"),
}
"""Knowledge level and agent type by the format that a source was read in, where that tells; else ``not_provided``."""
_UNKNOWN = ("not_provided", "not_provided")
_BREAKS = r"[\t\n\v\f\r\x1c-\x1e\x{85}\x{2028}\x{2029}]+"


@dataclass(frozen=True, slots=True)
class _Column:
    """A property: its SQL, and whether it is a ``text``, ``list`` or ``value`` (number or boolean)."""

    name: str
    sql: str
    kind: str = "text"
    always: bool = False


def _nodes() -> tuple[_Column, ...]:
    return (
        _Column("id", "c.id", always=True),
        _Column("category", "[c.category]", "list", always=True),
        _Column("name", "c.name"),
        _Column("description", "c.definition"),
        _Column("synonym", "s.synonyms", "list"),
        _Column("xref", "c.xrefs", "list"),
        _Column("same_as", "c.equivalents", "list"),
        _Column("deprecated", "c.deprecated", "value"),
        _Column(
            "provided_by",
            "list_transform(CASE WHEN len(c.sources) > 0 THEN c.sources ELSE [c.source] END, lambda s: infores(s))",
            "list",
        ),
        _Column("iri", "iri(c.id)"),
        _Column("replaced_by", "c.replaced_by"),
    )


def _edges() -> tuple[_Column, ...]:
    return (
        _Column("id", "'urn:clinragen:evidence:' || e.id", always=True),
        _Column("subject", "e.subject", always=True),
        _Column("predicate", "coalesce(nearest(e.predicate), e.predicate)", always=True),
        _Column("object", "e.object", always=True),
        _Column("category", "['biolink:Association']", "list", always=True),
        _Column("negated", "e.negated", "value", always=True),
        _Column("primary_knowledge_source", "infores(e.source)", always=True),
        _Column("knowledge_level", "coalesce(level(e.source), 'not_provided')", always=True),
        _Column("agent_type", "coalesce(agent(e.source), 'not_provided')", always=True),
        _Column("publications", "e.publications", "list"),
        _Column("original_subject", "e.subject_as_written"),
        _Column("original_predicate", "e.predicate"),
        _Column("original_object", "e.object_as_written"),
        _Column("frequency_qualifier", "e.frequency"),
        _Column("weight", "e.weight", "value"),
        _Column("checked", "e.checked", "value"),
        _Column("note", "e.note"),
        _Column("source_version", "e.version"),
        _Column("statement", "e.statement"),
    )


def infores(source: str) -> str:
    """Give a source's name in the form of an information resource.

    >>> infores("HPO annotations")
    'infores:hpo-annotations'
    """
    return "infores:" + (re.sub(r"[^a-z0-9._-]+", "-", source.lower()).strip("-") or "unknown")


def write_kgx(bundle: Bundle, folder: Path) -> dict[str, int]:
    """Write ``nodes`` and ``edges`` as ``.tsv`` and ``.jsonl``, and give their numbers."""
    counts = rows_of(bundle)
    with workbench(folder) as connection, bar("writing KGX", 2 * (counts["concepts"] + counts["evidence"])) as advance:
        _define(connection, bundle)
        for name, columns, table in (("nodes", _nodes(), _concepts(bundle)), ("edges", _edges(), _evidence(bundle))):
            with (folder / f"{name}.tsv").open("wb") as file:
                file.write(("\t".join(one.name for one in columns) + "\n").encode())
                write_query(connection, file, f"SELECT {_row(columns)} AS line FROM {table}", advance)
            with (folder / f"{name}.jsonl").open("wb") as file:
                write_query(connection, file, f"SELECT {_object(columns)} AS line FROM {table}", advance)
    return {"nodes": counts["concepts"], "edges": counts["evidence"]}


def _define(connection: duckdb.DuckDBPyConnection, bundle: Bundle) -> None:
    """Define what the columns call."""
    define_iris(connection, [f"SELECT id FROM read_parquet({quoted(bundle.files('concepts'))})"])
    terms = {one.name: _LEVELS.get(one.format, _UNKNOWN) for one in terms_of(bundle.manifest)}
    define_map(connection, "nearest", {ours.value: theirs for ours, theirs in NEAREST.items()})
    define_map(connection, "level", {name: level for name, (level, _) in terms.items()})
    define_map(connection, "agent", {name: agent for name, (_, agent) in terms.items()})
    connection.execute(
        "CREATE MACRO infores(s) AS 'infores:' || coalesce(nullif("
        "trim(regexp_replace(lower(s), '[^a-z0-9._-]+', '-', 'g'), '-'), ''), 'unknown')"
    )
    connection.execute(f"CREATE MACRO clean(t) AS trim(regexp_replace(t, {quoted_sql(_BREAKS)}, ' ', 'g'))")


def _concepts(bundle: Bundle) -> str:
    return f"""read_parquet({quoted(bundle.files("concepts"))}) c LEFT JOIN (
        SELECT concept, list_sort(list(DISTINCT text)) AS synonyms
        FROM read_parquet({quoted(bundle.files("synonyms"))}) GROUP BY concept
    ) s ON s.concept = c.id ORDER BY c.id"""


def _evidence(bundle: Bundle) -> str:
    return f"read_parquet({quoted(bundle.files('evidence'))}) e"


def _row(columns: Sequence[_Column]) -> str:
    return " || chr(9) || ".join(_cell(one) for one in columns) + " || chr(10)"


def _cell(column: _Column) -> str:
    if column.kind == "list":
        shown = f"list_transform({column.sql}, lambda x: replace(clean(x), '|', '¦'))"
        return f"coalesce(array_to_string({shown}, '|'), '')"
    if column.kind == "value":
        return f"coalesce(CAST({column.sql} AS VARCHAR), '')"
    return f"coalesce(clean({column.sql}), '')"


def _object(columns: Sequence[_Column]) -> str:
    """Put a row together as a JSON object that leaves out what is empty; the first columns are always there."""
    return "'{' || " + " || ".join(_members(columns)) + " || '}' || chr(10)"


def _members(columns: Sequence[_Column]) -> Iterator[str]:
    for number, one in enumerate(columns):
        name = quoted_sql(("," if number else "") + json.dumps(one.name) + ":")
        shown = f"{name} || CAST(to_json({one.sql}) AS VARCHAR)"
        if one.always:
            yield shown
        elif one.kind == "list":
            yield f"CASE WHEN coalesce(len({one.sql}), 0) = 0 THEN '' ELSE {shown} END"
        elif one.kind == "value":
            yield f"CASE WHEN {one.sql} IS NULL THEN '' ELSE {shown} END"
        else:
            yield f"CASE WHEN coalesce({one.sql}, '') = '' THEN '' ELSE {shown} END"
