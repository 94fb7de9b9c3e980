"""RDF: the graph as Turtle, written row by row.

Concepts are ``owl:Class`` and ``skos:Concept`` and carry their Biolink category; what is a kind of what is
``rdfs:subClassOf``, other statements are triples with Biolink's predicates or the project's own (``crg:``). Every
evidence is a ``crg:Assertion`` as in `kg.readers.bridge`, which reads such files; what is negated stands there alone.

Specifications: RDF 1.1 Turtle (W3C), SKOS reference, oboInOwl as OBO files use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import duckdb

from ehr.progress import Advance, bar
from kg.bundle import Bundle
from kg.content import quoted
from kg.export.derived import rows_of
from kg.export.iri_sql import define_iris
from kg.export.licences import Terms, terms_of
from kg.export.lines import define_map, quoted_sql, workbench, write_query
from kg.readers.bridge import BIOLINK, CRG
from kg.readers.records import XREF
from kg.vocabulary import Predicate

PREFIXES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "oboInOwl": "http://www.geneontology.org/formats/oboInOwl#",
    "biolink": BIOLINK,
    "crg": str(CRG),
}
_MAPPED = (
    "skos:exactMatch",
    "skos:closeMatch",
    "skos:broadMatch",
    "skos:narrowMatch",
    "skos:relatedMatch",
    "owl:equivalentClass",
    "owl:sameAs",
)
"""Mapping predicates that go out under their own name; cross-references go out as such."""
_SCOPES = {
    "exact": "oboInOwl:hasExactSynonym",
    "narrow": "oboInOwl:hasNarrowSynonym",
    "broad": "oboInOwl:hasBroadSynonym",
    "related": "oboInOwl:hasRelatedSynonym",
}

_CONTROLS = r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]"


def write_turtle(bundle: Bundle, folder: Path) -> dict[str, int]:
    """Write ``graph.ttl`` and give the numbers of concepts, statements and assertions."""
    counts = rows_of(bundle)
    total = sum(counts[name] for name in ("concepts", "synonyms", "mappings", "statements", "evidence"))
    with workbench(folder) as connection, bar("writing Turtle", total) as advance:
        _define(connection, bundle)
        with (folder / "graph.ttl").open("wb") as file:
            file.write(_head(bundle).encode())
            _write_concepts(connection, bundle, file, advance)
            _write_statements(connection, bundle, file, advance)
            _write_assertions(connection, bundle, file, advance)
    return {"concepts": counts["concepts"], "statements": counts["statements"], "assertions": counts["evidence"]}


def literal(text: str) -> str:
    r"""Give a text as a Turtle literal; what is no printable ASCII sign besides, stays as it is.

    >>> literal('say "no"\n')
    '"say \\"no\\"\\n"'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + "".join(f"\\u{ord(c):04X}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped) + '"'


def _define(connection: duckdb.DuckDBPyConnection, bundle: Bundle) -> None:
    concepts, mappings = (f"read_parquet({quoted(bundle.files(name))})" for name in ("concepts", "mappings"))
    ids = [
        f"SELECT id FROM {concepts}",
        f"SELECT unnest(equivalents) FROM {concepts}",
        f"SELECT replaced_by FROM {concepts} WHERE replaced_by IS NOT NULL",
        f"SELECT subject FROM {mappings}",
        f"SELECT object FROM {mappings}",
    ]
    define_iris(connection, ids)
    controls = [chr(code) for code in (*range(1, 10), 11, 12, *range(14, 32), 127)]
    escaped = "t"
    for sign in controls:
        escaped = f"replace({escaped}, chr({ord(sign)}), '\\u{ord(sign):04X}')"
    escaped = f"replace({escaped}, chr(0), '\\u0000')"
    connection.execute(
        f"CREATE MACRO controls(t) AS CASE WHEN regexp_matches(t, {quoted_sql(_CONTROLS)}) THEN {escaped} ELSE t END"
    )
    connection.execute(
        r"""CREATE MACRO literal(t) AS '"' || controls(
            replace(replace(replace(replace(t, '\', '\\'), '"', '\"'), chr(10), '\n'), chr(13), '\r')) || '"'"""
    )
    connection.execute("CREATE MACRO node(c) AS '<' || iri(c) || '>'")
    connection.execute(
        """CREATE MACRO citation(p) AS CASE WHEN contains(p, '://') AND iri(p) = p THEN '<' || p || '>'
            ELSE literal(p) END"""
    )
    connection.execute("CREATE MACRO source(s) AS '<urn:clinragen:source:' || url_encode(s) || '>'")
    define_map(connection, "scope_of", _SCOPES)
    predicates = {one.value: one.value.replace("clinragen:", "crg:") for one in Predicate}
    define_map(connection, "term", predicates)


def _head(bundle: Bundle) -> str:
    lines = [f"@prefix {name}: <{iri}> ." for name, iri in PREFIXES.items()]
    terms = terms_of(bundle.manifest)
    node = f"<urn:clinragen:bundle:{bundle.hash}>"
    open_ = "all sources may be passed on" if all(one.open for one in terms) else "not every source may be passed on"
    lines += ["", f"{node} a dcat:Dataset ;"]
    lines += [f'  dcterms:title "Knowledge graph of ClinRaGen" ; owl:versionInfo {literal(bundle.hash)} ;']
    lines += [f"  dcterms:license {literal(open_ + ', see the sources')} ."]
    for one in terms:
        lines += _source(node, one)
    return "\n".join(lines) + "\n\n"


def _source(node: str, one: Terms) -> list[str]:
    name = f"<urn:clinragen:source:{quote(one.name, safe='')}>"
    said = [
        f"rdfs:label {literal(one.name)}",
        f"owl:versionInfo {literal(one.version)}" if one.version else "",
        f"dcterms:license {literal(one.licence)}" if one.licence else "",
        f"crg:open {'true' if one.open else 'false'}",
        f"crg:sha256 {literal(one.sha256)}" if one.sha256 else "",
        f"dcat:landingPage <{one.url}>" if one.url else "",
    ]
    return [f"{node} dcterms:source {name} .", f"{name} a dcat:Dataset ; {' ; '.join(filter(None, said))} ."]


def _write_concepts(connection: duckdb.DuckDBPyConnection, bundle: Bundle, file: BinaryIO, advance: Advance) -> None:
    concepts, synonyms, mappings = (
        f"read_parquet({quoted(bundle.files(name))})" for name in ("concepts", "synonyms", "mappings")
    )
    write_query(
        connection,
        file,
        f"""SELECT node(id) || ' a owl:Class, skos:Concept, ' || category || ' ; rdfs:label ' || literal(name)
            || CASE WHEN definition = '' THEN '' ELSE ' ; skos:definition ' || literal(definition) END
            || coalesce(' ; skos:exactMatch ' || nullif(array_to_string(
                list_filter(list_transform(equivalents, lambda e: node(e)), lambda e: e IS NOT NULL), ', '), ''), '')
            || coalesce(' ; oboInOwl:hasDbXref ' || nullif(array_to_string(
                list_transform(xrefs, lambda x: literal(x)), ', '), ''), '')
            || CASE WHEN deprecated THEN ' ; owl:deprecated true' ELSE '' END
            || coalesce(' ; dcterms:isReplacedBy ' || node(replaced_by), '')
            || coalesce(' ; dcterms:source ' || nullif(array_to_string(
                list_transform(sources, lambda s: source(s)), ', '), ''), '')
            || ' .' || chr(10) AS line
        FROM {concepts}""",
        advance,
    )
    write_query(
        connection,
        file,
        f"""SELECT node(concept) || CASE scope WHEN 'exact' THEN ' skos:altLabel ' || literal(text) || ' ;' ELSE '' END
            || ' ' || coalesce(scope_of(scope), 'oboInOwl:hasRelatedSynonym') || ' ' || literal(text)
            || ' .' || chr(10) AS line
        FROM {synonyms}""",
        advance,
    )
    named = ", ".join(quoted_sql(one) for one in _MAPPED)
    write_query(
        connection,
        file,
        f"""SELECT CASE
            WHEN predicate IN ({named}) THEN node(subject) || ' ' || predicate || ' ' || node(object)
            WHEN predicate = '{XREF}' THEN node(subject) || ' oboInOwl:hasDbXref ' || literal(object)
            ELSE node(subject) || ' dcterms:isReplacedBy ' || node(object) END || ' .' || chr(10) AS line
        FROM {mappings} WHERE predicate IN ({named}, '{XREF}', 'IAO:0100001')""",
        advance,
    )


def _write_statements(connection: duckdb.DuckDBPyConnection, bundle: Bundle, file: BinaryIO, advance: Advance) -> None:
    for part in bundle.files("statements"):
        kind = quoted_sql(Predicate.SUBCLASS_OF.value)
        write_query(
            connection,
            file,
            f"""SELECT node(subject) || CASE predicate WHEN {kind} THEN ' rdfs:subClassOf '
                ELSE ' ' || term(predicate) || ' ' END || node(object) || ' .' || chr(10) AS line
            FROM read_parquet({quoted([part])}) WHERE NOT negated""",
            advance,
        )


def _write_assertions(connection: duckdb.DuckDBPyConnection, bundle: Bundle, file: BinaryIO, advance: Advance) -> None:
    def said(name: str, column: str) -> str:
        return f"|| CASE WHEN {column} = '' THEN '' ELSE ' ; {name} ' || literal({column}) END"

    write_query(
        connection,
        file,
        f"""SELECT '<urn:clinragen:evidence:' || id || '> a crg:Assertion ; crg:subject ' || node(subject)
            || ' ; crg:predicate ' || term(predicate) || ' ; crg:object ' || node(object)
            || CASE WHEN negated THEN ' ; crg:negated true' ELSE '' END
            || ' ; crg:strength "' || CAST(weight AS VARCHAR) || '"^^<http://www.w3.org/2001/XMLSchema#double>'
            || coalesce(' ; crg:checked ' || CAST(checked AS VARCHAR), '')
            || ' ; dcterms:source ' || coalesce(nullif(array_to_string(
                list_transform(publications, lambda p: citation(p)), ', '), ''), source(source))
            || ' ; crg:source ' || source(source)
            {said("crg:frequency", "frequency")} {said("rdfs:comment", "note")}
            {said("crg:subjectAsWritten", "subject_as_written")} {said("crg:objectAsWritten", "object_as_written")}
            || ' ; crg:statement ' || literal(statement) || ' .' || chr(10) AS line
        FROM read_parquet({quoted(bundle.files("evidence"))})""",
        advance,
    )
