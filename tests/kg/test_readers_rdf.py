"""Bad input of RDF: what is hostile, truncated or foreign ends in one clear error."""

from __future__ import annotations

import gzip
import resource
from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.readers.owl import read_owl
from kg.readers.records import Reject
from kg.readers.skos import read_skos
from kg.types import Concept

RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:owl="http://www.w3.org/2002/07/owl#" '
    'xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#">\n{}\n</rdf:RDF>\n'
)
CLASS = '<owl:Class rdf:about="http://purl.obolibrary.org/obo/HP_1"><rdfs:label>{}</rdfs:label></owl:Class>'


def read(tmp_path: Path, content: str | bytes, name: str = "x.owl") -> list[object]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_owl(path, "x"))


def names(records: list[object]) -> list[str]:
    return [r.name for r in records if isinstance(r, Concept)]


def fault(tmp_path: Path, content: str | bytes, name: str = "x.owl") -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, name)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 << 10, "KiB"
    return str(caught.value).removeprefix(str(tmp_path))


@pytest.mark.parametrize(
    "head",
    [
        '<?xml version="1.0"?><!DOCTYPE rdf:RDF [<!ENTITY obo "http://purl.obolibrary.org/obo/">]>',
        "<!DOCTYPE rdf:RDF [<!ENTITY obo 'http://purl.obolibrary.org/obo/'> <!-- c -->]>",
        '<!DOCTYPE r [<!ENTITY o "http://purl.obolibrary.org"><!ENTITY obo "&o;/obo/"><!ENTITY o "second">]>',
        '<!DOCTYPE r SYSTEM "file:///nowhere.dtd" [<!ENTITY obo "http://purl.obolibrary.org/obo/">]>',
    ],
)
def test_internal_entities_abbreviate_iris(tmp_path: Path, head: str) -> None:
    body = CLASS.replace("http://purl.obolibrary.org/obo/", "&obo;").format("a &amp; b")
    records = read(tmp_path, head + RDF.format(body))
    assert [(r.id, r.name) for r in records if isinstance(r, Concept)] == [("HP:1", "a & b")]


def test_a_bomb_of_entities_is_defused(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 20))
    head = f'<!DOCTYPE r [<!ENTITY l0 "ha">{laughs}]>'
    assert "entity 'l3' stands for 2000 characters" in fault(tmp_path, head + RDF.format(CLASS.format("&l19;")))


def test_one_entity_a_million_times_is_refused(tmp_path: Path) -> None:
    head = f'<!DOCTYPE r [<!ENTITY long "{"x" * 1000}">]>'
    said = fault(tmp_path, head + RDF.format(CLASS.format("&long;" * 1_000_000)))
    assert "entities grow beyond reason" in said or "a text of more than 16 MiB" in said


def test_entities_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    head = '<!DOCTYPE r [<!ENTITY a "&b;"><!ENTITY b "&a;">]>'
    assert "recursive" in fault(tmp_path, head + RDF.format(CLASS.format("&a;")))


@pytest.mark.parametrize("where", ["text", "attribute", "parameter"])
def test_external_entities_are_never_opened(tmp_path: Path, where: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text('<!ENTITY e "leaked">' if where == "parameter" else "leaked", encoding="utf-8")
    declared = f'<!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;' if where == "parameter" else ""
    declared += f'<!ENTITY e SYSTEM "{secret.as_uri()}">' if where != "parameter" else ""
    body = CLASS.format("n").replace("HP_1", "HP_1&e;") if where == "attribute" else CLASS.format("n &e;")
    assert "leaked" not in fault(tmp_path, f"<!DOCTYPE r [{declared}]>" + RDF.format(body))


def test_an_external_entity_that_nobody_uses_costs_nothing(tmp_path: Path) -> None:
    head = '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    assert names(read(tmp_path, head + RDF.format(CLASS.format("n")))) == ["n"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (RDF.format("\n<owl:Class>\n</owl:Klass>"), "line 4, column 3: mismatched tag"),
        (RDF.format(CLASS.format("n")).removesuffix("</rdf:RDF>\n"), "ends before its elements are closed"),
        (RDF.format(CLASS.format("n\x01")), "line 2, column 73: not well-formed"),
        (RDF.format(CLASS.format("caf\xe9")).encode("latin-1"), "no UTF-8"),
        (RDF.format("<nope:a/>"), "nope"),
        ('<?xml version="1.0" encoding="zip"?>' + RDF.format(""), "unknown encoding 'zip'"),
        ("<!-- " + "x" * (5 << 20) + " -->" + RDF.format(""), "no element in it"),
        (RDF.format("<owl:Class><rdfs:label>" * 100_000), "line 2: more than 200 elements inside each other"),
        (RDF.format(CLASS.format("x" * (17 << 20))), "a text of more than 16 MiB"),
        (RDF.format(""), "no owl:Class in it"),
        ("", "no element found"),
        (b"\x00\x01\x02", "x.owl"),
        ('<?xml version="1.0"?>\n<Ontology xmlns="http://www.w3.org/2002/07/owl#">', "is OWL/XML; convert"),
        ("Prefix(:=<http://a#>)\nOntology(<http://a>)", "is OWL in functional syntax; convert"),
        ("Prefix: a: <http://a#>\n", "is OWL in Manchester syntax"),
        ("format-version: 1.2\n\n[Term]\nid: X:1\n", "is OBO (use the format obo)"),
    ],
)
def test_what_is_no_rdf_xml_is_said_with_its_place(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in fault(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("@prefix a: <http://a#> .\n\na:b a:c ]] .\n", "x.ttl", "line 3: ] is not a valid RDF object"),
        ('@prefix a: <http://a#> .\na:b a:c "caf\xe9" .\n'.encode("latin-1"), "x.ttl", "line 2: Invalid UTF-8"),
        ('<http://a> <http://b> "' + "x" * (17 << 20) + '" .', "x.ttl", "a text of more than 16 MiB"),
        ("<http://a> <http://b> " + "( " * 200_000, "x.ttl", "x.ttl"),
        ('[{"@id": "http://a",\n "http://b": nil}]', "x.jsonld", "line 2"),
        ('{"@context": "http://example.org/c", "@id": "http://a"}', "x.jsonld", "remote contexts"),
        ("[" * 1_000_000, "x.jsonld", "x.jsonld"),
        ("a b c .\n" * 3, "x.nt", "no owl:Class in it"),
    ],
)
def test_other_syntaxes_are_said_with_their_place(tmp_path: Path, content: str | bytes, name: str, said: str) -> None:
    assert said in fault(tmp_path, content, name)


def test_a_truncated_gzip_names_the_file(tmp_path: Path) -> None:
    whole = gzip.compress(RDF.format(CLASS.format("n") * 50).encode())
    assert "x.owl.gz: truncated gzip" in fault(tmp_path, whole[: len(whole) // 2], "x.owl.gz")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    declared = "UTF-8" if encoding == "utf-8-sig" else "UTF-16" if "16" in encoding else encoding
    text = f'<?xml version="1.0" encoding="{declared}"?>\n' + RDF.format(CLASS.format("fièvre"))
    assert names(read(tmp_path, text.encode(encoding))) == ["fièvre"]


def test_a_long_literal_and_invalid_iris_are_read(tmp_path: Path) -> None:
    other = '<owl:Class rdf:about="{}"><rdfs:label>{}</rdfs:label></owl:Class>'
    text = RDF.format(CLASS.format("n") + other.format("http://a b/c#d", "invalid") + other.format("http://a/", "bare"))
    records = read(tmp_path, text.replace(">n<", ">" + "n" * (10 << 20) + "<"))
    assert [(r.id, len(r.name)) for r in records if isinstance(r, Concept)] == [("HP:1", 10 << 20), ("C:d", 7)]
    assert [r.reason for r in records if isinstance(r, Reject)] == ["its IRI gives no CURIE"]


@pytest.mark.parametrize("content", [b"", b"[]", b"@prefix skos: <http://www.w3.org/2004/02/skos/core#> ."])
def test_a_file_without_concepts_is_no_thesaurus(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.ttl"
    path.write_bytes(content)
    with pytest.raises(InputError):
        list(read_skos(path, "x"))
