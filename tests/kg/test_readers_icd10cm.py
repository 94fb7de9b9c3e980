from __future__ import annotations

import re
from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.readers.icd10cm import read_icd10cm
from kg.readers.records import Fact, Header, Reject
from kg.types import Concept, Synonym
from kg.vocabulary import Category
from tests.kg.tiny_sources import ICD


def read(tmp_path: Path, text: str, name: str = "icd.xml") -> list[object]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return list(read_icd10cm(path, "icd10cm"))


def test_codes_stand_below_their_parents(tmp_path: Path) -> None:
    records = read(tmp_path, ICD)
    parents = {
        f.statement.subject.removeprefix("ICD10CM:"): f.statement.object.removeprefix("ICD10CM:")
        for f in records
        if isinstance(f, Fact)
    }
    assert parents["N17.0"] == "N17"
    assert parents["N17"] == "N17-N19"
    assert parents["N17-N19"] == "N00-N39", "sections stand side by side in the file; ranges tell the outer one"
    assert parents["N00-N39"] == "N00-N99"
    assert "N00-N99" not in parents
    assert parents["S06"] == "S00-T88", "a section of one category is that category"
    assert parents["S06.0XXA"] == "S06.0"


def test_seventh_characters(tmp_path: Path) -> None:
    found = {c.id.removeprefix("ICD10CM:"): c for c in read(tmp_path, ICD) if isinstance(c, Concept)}
    assert {c for c in found if c.startswith("S06.0")} == {"S06.0", "S06.0XXA", "S06.0XXD"}
    assert found["S06.0XXD"].name == "Concussion, subsequent encounter"
    assert {c for c in found if c.startswith("S06.1")} == {"S06.1X7", "S06.1X7A"}, (
        "D does not go with a 6th character 7"
    )
    assert {c for c in found if c.startswith("S06.2")} == {"S06.2", "S06.21", "S06.21X1"}, "the nearer rule holds"


def test_inclusion_terms_are_synonyms_and_notes_are_not(tmp_path: Path) -> None:
    found = {c.id: c for c in read(tmp_path, ICD) if isinstance(c, Concept)}
    assert found["ICD10CM:N17.0"].synonyms == (
        Synonym("Acute tubular necrosis", "narrow", "inclusion_term"),
        Synonym("Renal tubular necrosis", "narrow", "inclusion_term"),
    )
    assert found["ICD10CM:N17"].synonyms == ()
    assert found["ICD10CM:N17"].category is Category.DISEASE


@pytest.mark.parametrize(
    ("code", "category"), [("R50", Category.PHENOTYPE), ("W01", Category.EXPOSURE), ("Z66", Category.OTHER)]
)
def test_category_by_chapter(tmp_path: Path, code: str, category: Category) -> None:
    found = {c.id: c for c in read(tmp_path, ICD.replace("N19", code)) if isinstance(c, Concept)}
    assert found[f"ICD10CM:{code}"].category is category


def test_release_from_the_name_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, ICD)[0] == Header("2026")
    assert read(tmp_path, ICD, "icd10c-tabular-April-1-2026.xml")[0] == Header("2026 (April 1, 2026)")


def test_an_odd_code_is_rejected_alone(tmp_path: Path) -> None:
    records = read(tmp_path, ICD.replace("<name>N17.9</name>", "<name>what?</name>"))
    assert [(r.record, r.reason) for r in records if isinstance(r, Reject)] == [
        ("line 10", "diag below N17: 'WHAT?' is no ICD-10-CM code")
    ]
    assert "ICD10CM:N18.6" in {c.id for c in records if isinstance(c, Concept)}


@pytest.mark.parametrize(
    ("text", "message"),
    [(ICD[:900], "not well-formed XML"), ("", "not well-formed XML"), ("<a><b/></a>", "no code in it")],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"icd\.xml: {message}"):
        read(tmp_path, text)


def test_xml_that_is_meant_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    head = "<ICD10CM.tabular><chapter><name>14</name><desc>D (N00-N99)</desc><section id='N17-N19'><desc>x</desc>"
    for content, said in (
        ('<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><a>&b;</a>', "declares the entity 'a'"),
        ('<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><a>&a;</a>', "declares the entity 'a'"),
        (head + "<a>" * 1000, "nested more than 100 deep"),
        (head + f"<a b='{'x' * (6 << 20)}'/>", "a tag or comment longer than 4 MiB"),
        (head + "<a/>" * 400_000, "an element of more than 64 MiB"),
        (head + "<a>" + "x" * (65 << 20), "an element of more than 64 MiB"),
        ("<?xml version='1.0' encoding='nothing'?><a/>", "unknown encoding"),
        ("<?xml version='1.0' encoding='shift_jis'?><a/>", "multi-byte encodings are not supported"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=re.escape(said)):
            list(read_icd10cm(path, "x"))


def test_codes_nested_without_end_and_sections_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    diag = "<diag><name>N17</name><desc>d</desc>"
    path.write_text(
        "<t><chapter><name>14</name><desc>D (N00-N99)</desc><section id='a b-c'><desc>x</desc>"
        f"{diag * 30}{'</diag>' * 30}</section></chapter></t>",
        encoding="utf-8",
    )
    records = list(read_icd10cm(path, "x"))
    assert [r.reason for r in records if isinstance(r, Reject)] == [
        "section of N00-N99: id 'A B-C' is no range of codes",
        "diag N17: more than 20 levels of codes",
    ]
    assert len([r for r in records if isinstance(r, Fact)]) == 20
