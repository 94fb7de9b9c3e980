from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers import obo_syntax
from kg.readers.obo import read_obo
from kg.readers.records import Fact, Header, Mapping, Reject
from kg.types import Concept, Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.reader_records import concepts, rejects
from tests.kg.tiny_sources import OBO


def read(tmp_path: Path, text: str | bytes, **options: object) -> list[object]:
    path = tmp_path / "x.obo"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_obo(path, "x", **options))  # type: ignore[arg-type]


def test_reads_terms_with_all_their_parts(tmp_path: Path) -> None:
    records = read(tmp_path, OBO)
    assert records[0] == Header("2025-01-16", "")
    fever = concepts(records)["HP:0001945"]
    assert fever.name == "Fever"
    assert fever.category is Category.PHENOTYPE
    assert fever.definition == 'Body temperature elevated above the "normal" range.'
    assert fever.synonyms == (
        Synonym("Pyrexia", "exact", ""),
        Synonym("Hot {sic}", "exact", "layperson"),
        Synonym("FUO", "narrow", "abbreviation"),
    )
    assert fever.xrefs == ("SNOMEDCT_US:386661006", "UMLS:C0015967", "PMID:123")
    old = concepts(records)["HP:0000100"]
    assert old.deprecated
    assert old.replaced_by == "HP:0001945"
    assert concepts(records)["HP:0000006"].synonyms[0].kind == "allelic_requirement"
    assert not rejects(records)


@pytest.mark.parametrize(
    ("written", "version"),
    [("hp/releases/2025-01-16", "2025-01-16"), ("releases/2026-07-30/symp.obo", "2026-07-30"), ("4.2", "4.2")],
)
def test_version_of_the_release(tmp_path: Path, written: str, version: str) -> None:
    assert read(tmp_path, OBO.replace("hp/releases/2025-01-16", written))[0] == Header(version, "")


def test_mappings_name_former_ids_and_vocabularies_but_no_citations(tmp_path: Path) -> None:
    mappings = {(m.subject, m.predicate, m.object) for m in read(tmp_path, OBO) if isinstance(m, Mapping)}
    assert ("HP:0009999", "IAO:0100001", "HP:0001945") in mappings
    assert ("HP:0000100", "IAO:0100001", "HP:0001945") in mappings
    assert ("HP:0001945", "oboInOwl:hasDbXref", "UMLS:C0015967") in mappings
    assert not any(target.startswith("PMID") for _, _, target in mappings)


def test_relations_of_a_kind_the_graph_lacks_are_kept_as_related(tmp_path: Path) -> None:
    text = OBO.replace("relationship: part_of HP:0001945", "relationship: adjacent_to HP:0001945")
    facts = [r for r in read(tmp_path, text) if isinstance(r, Fact)]
    related = [f for f in facts if f.statement.predicate is Predicate.RELATED_TO]
    assert [(f.statement.subject, f.statement.object, f.evidence.note) for f in related] == [
        ("HP:0012531", "HP:0001945", "adjacent_to")
    ]
    isa = {(f.statement.subject, f.statement.object) for f in facts if f.statement.predicate is Predicate.SUBCLASS_OF}
    assert ("HP:0001945", "HP:0000118") in isa


@pytest.mark.parametrize(
    ("written", "predicate", "note"),
    [
        ("part_of", Predicate.PART_OF, ""),
        ("BFO:0000050", Predicate.PART_OF, ""),
        ("http://purl.obolibrary.org/obo/BFO_0000050", Predicate.PART_OF, ""),
        ("has_symptom", Predicate.HAS_PHENOTYPE, ""),
        ("RO:0002452", Predicate.HAS_PHENOTYPE, ""),
        ("RO:0004026", Predicate.LOCATED_IN, ""),
        ("BFO:0000051", Predicate.RELATED_TO, "has_part"),
        ("RO:0099999", Predicate.RELATED_TO, "RO:0099999"),
        ("http://purl.obolibrary.org/obo/doid#results_in", Predicate.RELATED_TO, "results_in"),
    ],
)
def test_a_relation_is_the_same_by_name_id_and_iri(
    tmp_path: Path, written: str, predicate: Predicate, note: str
) -> None:
    facts = [r for r in read(tmp_path, f"[Term]\nid: X:1\nrelationship: {written} X:2\n") if isinstance(r, Fact)]
    assert [(f.statement.predicate, f.statement.object, f.evidence.note) for f in facts] == [(predicate, "X:2", note)]


def test_logical_definitions_state_what_is_not_asserted_beside_them(tmp_path: Path) -> None:
    text = (
        '[Term]\nid: X:1\nname: n\nis_a: X:2 ! parent\nintersection_of: X:2 ! parent\nintersection_of: X:3 {a="b"}\n'
        "intersection_of: RO:0004026 UBERON:1 ! heart\nintersection_of: part_of X:9\nrelationship: part_of X:9\n"
    )
    found = {
        (f.statement.predicate, f.statement.object): f.evidence.note
        for f in read(tmp_path, text)
        if isinstance(f, Fact)
    }
    assert found == {
        (Predicate.SUBCLASS_OF, "X:2"): "",
        (Predicate.SUBCLASS_OF, "X:3"): "logical definition",
        (Predicate.LOCATED_IN, "UBERON:1"): "logical definition",
        (Predicate.PART_OF, "X:9"): "",
    }


@pytest.mark.parametrize(
    ("line", "predicate", "target"),
    [
        ('xref: DOID:4 {source="MONDO:equivalentTo"} ! disease', "skos:exactMatch", "DOID:4"),
        ('xref: DOID:4 "d" {source="DOID:1", source="MONDO:equivalentTo"}', "skos:exactMatch", "DOID:4"),
        ('xref: DOID:4 {source="MONDO:relatedTo"}', "oboInOwl:hasDbXref", "DOID:4"),
        ('xref: DOID:4 "says {source=\\"MONDO:equivalentTo\\"}"', "oboInOwl:hasDbXref", "DOID:4"),
        ("xref: DOID\\:4", "oboInOwl:hasDbXref", "DOID:4"),
        ("equivalent_to: DOID:4 ! disease", "skos:exactMatch", "DOID:4"),
        ("property_value: skos:exactMatch DOID:4", "skos:exactMatch", "DOID:4"),
        ('property_value: skos:closeMatch "DOID:4" xsd:string', "skos:closeMatch", "DOID:4"),
        ("property_value: exactMatch http://purl.obolibrary.org/obo/DOID_4", "skos:exactMatch", "DOID:4"),
        (
            "property_value: http://www.w3.org/2004/02/skos/core#broadMatch http://purl.obolibrary.org/obo/DOID_4",
            "skos:broadMatch",
            "DOID:4",
        ),
        ("replaced_by: DOID:4", "IAO:0100001", "DOID:4"),
        ("consider: DOID:4", "oboInOwl:consider", "DOID:4"),
    ],
)
def test_every_way_of_writing_a_mapping(tmp_path: Path, line: str, predicate: str, target: str) -> None:
    records = read(tmp_path, f"[Term]\nid: X:1\nname: n\n{line}\n")
    assert [r for r in records if isinstance(r, Mapping)] == [Mapping("X:1", predicate, target)]
    assert not rejects(records)


def test_other_stanzas_are_no_concepts_and_cycles_stay(tmp_path: Path) -> None:
    text = (
        "[Typedef]\nid: part_of\nname: part of\n\n[Instance]\nid: X:9\nname: i\ninstance_of: X:1\n\n"
        "[Term]\nid: X:1\nis_a: X:2\n\n[Term]\nid: X:2\nis_a: X:1\nis_a: X:404\n"
    )
    records = read(tmp_path, text)
    assert list(concepts(records)) == ["X:1", "X:2"]
    parents = [(f.statement.subject, f.statement.object) for f in records if isinstance(f, Fact)]
    assert parents == [("X:1", "X:2"), ("X:2", "X:1"), ("X:2", "X:404")]


@pytest.mark.parametrize("filling", [" ", "{", "{a=", "{a=}", "} !", "\\", '\\"', "\t{"])
def test_long_lines_of_one_thing_are_read(tmp_path: Path, filling: str) -> None:
    """A name or definition of a megabyte takes no more than one walk along it."""
    long = filling * ((1 << 20) // len(filling))
    text = f'[Term]\nid: X:1\nname: a{long}b}}\ndef: "a{long}\nsynonym: "a{long}" EXACT []\n'
    text += f"xref: Y:1 {long}b}}\nis_a: X:2\n"
    records = read(tmp_path, text)
    assert list(concepts(records)) == ["X:1"]
    assert [f.statement.object for f in records if isinstance(f, Fact)] == ["X:2"]


@pytest.mark.parametrize(
    "bad",
    [
        "this line has no tag",
        'synonym: "never closes EXACT []',
        "def: no quotes",
        "is_a:",
        "relationship: part_of",
        "xref: ! only a comment",
        "id: HP:0000002",
    ],
)
def test_one_bad_line_loses_only_itself(tmp_path: Path, bad: str) -> None:
    text = OBO.replace("name: Pain\n", f"name: Pain\n{bad}\n")
    records = read(tmp_path, text)
    line = 1 + text.split("\n").index(bad)
    assert [r.record for r in rejects(records)] == [f"line {line}"]
    assert concepts(records) == concepts(read(tmp_path, OBO))
    assert [r for r in records if isinstance(r, Fact)] == [r for r in read(tmp_path, OBO) if isinstance(r, Fact)]


def test_a_line_of_foreign_bytes_is_rejected_alone(tmp_path: Path) -> None:
    text = OBO.encode().replace(b"name: Pain\n", b"name: Pain\ncomment: caf\xe9\n")
    records = read(tmp_path, text)
    assert [r.reason for r in rejects(records)] == ["not UTF-8"]
    assert concepts(records)["HP:0012531"].name == "Pain"


def test_a_term_without_id_is_rejected_and_the_next_one_read(tmp_path: Path) -> None:
    records = read(tmp_path, "format-version: 1.2\n\n[Term]\nname: lost\n\n[Term]\nid: HP:1\nname: kept\n")
    assert [r.reason for r in rejects(records)] == ["term without an id"]
    assert list(concepts(records)) == ["HP:1"]


def test_backslashes_at_the_end_of_a_line(tmp_path: Path) -> None:
    """A dangling backslash swallows no clause; before free text it continues the line."""
    text = "\n\n[Term]\nid: X:1\nxref: UMLS:C1\\\nname: kept\ncomment: long \\\n   text\nis_a: X:2\n"
    records = read(tmp_path, text)
    assert concepts(records)["X:1"].name == "kept"
    assert any(isinstance(r, Fact) and r.statement.object == "X:2" for r in records)
    assert not rejects(records)


def test_names_keep_braces_and_exclamation_marks_that_are_no_modifiers(tmp_path: Path) -> None:
    text = '[Term]\nid: X:1\nname: Ouch! a \\{b\\} {c} d\n\n[Term]\nid: X:2\nname: plain {source="PMID:1"}\n'
    found = concepts(read(tmp_path, text))
    assert found["X:1"].name == "Ouch! a {b} {c} d"
    assert found["X:2"].name == "plain"


def test_synonym_tags_of_old_obo(tmp_path: Path) -> None:
    text = '[Term]\nid: X:1\nname: n\nexact_synonym: "a" []\nnarrow_synonym: "b" [x]\nsynonym: "c" []\n'
    assert concepts(read(tmp_path, text))["X:1"].synonyms == (
        Synonym("a", "exact"),
        Synonym("b", "narrow"),
        Synonym("c", "related"),
    )


def test_prefix_and_category_options(tmp_path: Path) -> None:
    text = "[Term]\nid: DOID:1\nname: a\n\n[Term]\nid: UBERON:1\nname: b\n"
    found = concepts(read(tmp_path, text, prefixes=frozenset({"DOID"}), category=Category.OTHER))
    assert [(c.id, c.category) for c in found.values()] == [("DOID:1", Category.OTHER)]
    with pytest.raises(InputError, match="no \\[Term\\] with prefix HP"):
        read(tmp_path, text, prefixes=frozenset({"HP"}))


def test_windows_line_ends_byte_order_mark_and_gzip(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + OBO.replace("\n", "\r\n").encode()
    path = tmp_path / "named.without.suffix"
    path.write_bytes(gzip.compress(text))
    assert concepts(list(read_obo(path, "x"))) == concepts(read(tmp_path, OBO))


def test_truncated_gzip_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.obo.gz"
    path.write_bytes(gzip.compress(OBO.encode())[:-12])
    with pytest.raises(InputError, match=r"cut\.obo\.gz: truncated gzip"):
        list(read_obo(path, "x"))


def test_a_file_without_terms_is_no_ontology(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no \\[Term\\]"):
        read(tmp_path, "hello: world\n")


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)
sane = words.map(lambda t: " ".join(t.split())).filter(bool)
locals_ = st.text("ABCabc0123456789_.-", min_size=1, max_size=8)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_escape_and_unescape_are_inverse(text: str) -> None:
    assert obo_syntax.unescape(obo_syntax.escape(text)) == text
    assert obo_syntax.quoted(f'"{obo_syntax.escape(text)}" EXACT []') == (text, "EXACT []")


@st.composite
def terms(draw: st.DrawFn) -> Concept:
    scopes = st.sampled_from(["exact", "narrow", "broad", "related"])
    synonyms = st.lists(
        st.builds(Synonym, sane, scopes, st.sampled_from(["", "layperson", "abbreviation"])), max_size=3
    )
    return Concept(
        id="HP:" + draw(locals_),
        category=Category.PHENOTYPE,
        name=draw(sane),
        source="x",
        synonyms=tuple(draw(synonyms)),
        definition=draw(sane | st.just("")),
        xrefs=tuple(dict.fromkeys("UMLS:" + x for x in draw(st.lists(locals_, max_size=3)))),
        deprecated=draw(st.booleans()),
    )


def written(term: Concept) -> str:
    def esc(text: str) -> str:
        return obo_syntax.escape(text)

    lines = ["[Term]", f"id: {term.id}", f"name: {esc(term.name)}"]
    if term.definition:
        lines.append(f'def: "{esc(term.definition)}" [PMID:1] {{source="x"}}')
    lines += [f'synonym: "{esc(s.text)}" {s.scope.upper()} {s.kind} []' for s in term.synonyms]
    lines += [f'xref: {x} {{a="b"}} ! {esc(term.name)}' for x in term.xrefs]
    lines += ["is_obsolete: true"] if term.deprecated else []
    return "\n".join(lines)


@settings(max_examples=150, deadline=None)
@given(st.lists(terms(), min_size=1, max_size=4, unique_by=lambda t: t.id))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, terms_: list[Concept]) -> None:
    path = tmp_path_factory.getbasetemp() / "round.obo"
    path.write_text(
        "format-version: 1.4\n\n" + "\n\n".join(map(written, terms_)) + "\n", encoding="utf-8", newline="\n"
    )
    records = list(read_obo(path, "x"))
    assert [r for r in records if isinstance(r, Concept)] == terms_
    assert not rejects(records)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_inside_an_ontology_lose_no_other_term(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.obo"
    path.write_bytes(OBO.encode() + b"\n[Junk]\n" + junk + b"\n\n[Term]\nid: HP:7777777\nname: last\n")
    found = concepts(list(read_obo(path, "x")))
    assert {"HP:0001945", "HP:0012531", "HP:7777777"} <= found.keys()


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12) | st.sampled_from([b"\\", b"{", b'"', b"\n["]))
def test_a_mutated_file_gives_records_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: bytes
) -> None:
    content = OBO.encode()
    at %= len(content)
    path = tmp_path_factory.getbasetemp() / "mutated.obo"
    content = content[:at] + put + content[at + cut :]
    path.write_bytes(content)
    if content.startswith((b"\x1f\x8b", b"BZh")):  # what says that it is packed is unpacked
        with pytest.raises(InputError, match="damaged"):
            list(read_obo(path, "x"))
        return
    assert concepts(list(read_obo(path, "x")))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_alone_are_no_ontology(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.obo"
    path.write_bytes(content)
    with pytest.raises(InputError):
        list(read_obo(path, "x"))


def test_a_file_of_another_kind_is_given_up_early_and_many_bad_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.obo"
    path.write_text("one, two\n" * 300_000, encoding="utf-8")
    with pytest.raises(InputError, match="is this an OBO file"):
        list(read_obo(path, "x"))
    path.write_text("format-version: 1.2\n[Term]\nid: HP:1\nname: a\n" + "no tag\n" * 3000, encoding="utf-8")
    found = rejects(list(read_obo(path, "x")))
    assert len(found) == 1001
    assert found[-1] == Reject("line 2", "2,000 more lines below it that cannot be read")


def test_lines_that_would_take_quadratic_time_or_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.obo"
    long = 1 << 21
    path.write_text(
        "format-version: 1.2\n[Term]\nid: HP:1\n"
        f"name: a{' ' * long}}}\n"
        f'xref: HP:2 {{a="b", {"a" * long}}}\n'
        f"name: {'{' * long}}}\n"
        f"comment: {('x' * 100 + chr(92) + chr(10)) * 100_000}\n",
        encoding="utf-8",
    )
    records = list(read_obo(path, "x"))
    assert [r.id for r in records if isinstance(r, Concept)] == ["HP:1"]


def test_ids_that_are_none_are_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.obo"
    path.write_text(
        "format-version: 1.2\n[Term]\nid: nothing\n[Term]\nid: HP:1\nname: a\nis_a: b\nrelationship: part_of http://x\n"
        "alt_id: c\nreplaced_by: HP:2\u200b\nis_a: HP:3\n",
        encoding="utf-8",
    )
    records = list(read_obo(path, "x"))
    assert [r.record for r in rejects(records)] == ["line 3", "line 2", "line 7", "line 8", "line 9", "line 10"]
    assert [f.statement.object for f in records if isinstance(f, Fact)] == ["HP:3"]
