from __future__ import annotations

from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.readers.bridge import read_bridge
from kg.readers.records import Fact, Header, Name, Reject
from kg.types import Concept, Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.tiny_sources import BRIDGE


def read(tmp_path: Path, text: str, name: str = "bridge.ttl") -> list[object]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return list(read_bridge(path, "bridge"))


def test_assertions_become_statements_with_checked_evidence(tmp_path: Path) -> None:
    records = read(tmp_path, BRIDGE)
    assert records[0] == Header("2026-11-24", "Apache-2.0")
    first, second, *_ = [r for r in records if isinstance(r, Fact)]
    assert (first.statement.subject, first.statement.predicate, first.statement.object) == (
        "CCS:2",
        Predicate.HAS_PHENOTYPE,
        "HP:0001945",
    )
    evidence = first.evidence
    assert (evidence.weight, evidence.checked, evidence.note) == (0.8, True, "often")
    assert evidence.publications == ("https://example.org/sepsis",)
    assert evidence.object_as_written == "http://purl.obolibrary.org/obo/HP_0001945"
    assert second.evidence.checked is False
    assert second.statement.predicate is Predicate.HAS_HIGH_MEASUREMENT
    assert second.statement.object == "LOINC:32693-4"


def test_own_concepts_and_names_of_others(tmp_path: Path) -> None:
    records = read(tmp_path, BRIDGE)
    found = {c.id: c for c in records if isinstance(c, Concept)}
    assert found["RXNORM:6809"].category is Category.DRUG
    assert found["CRG:tobacco_use"].synonyms == (Synonym("pack-year"), Synonym("smoker"))
    names = {(n.concept, n.synonym.text) for n in records if isinstance(n, Name)}
    assert ("HP:0001945", "burning up") in names


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("crg:strength 0.8", "crg:strength 1.8", "outside 0 to 1"),
        ("crg:strength 0.8", 'crg:strength "strong"', "no number"),
        ("crg:checked true", 'crg:checked "maybe"', "neither true nor false"),
        ("biolink:has_phenotype", "biolink:causes_joy", "not a valid Predicate"),
        ("biolink:has_phenotype", "HP:0001945", "unknown predicate"),
        ("dcterms:source <https://example.org/sepsis> ;", "", "no dcterms:source"),
        ("crg:object HP:0001945 ;", "", "expected one object, found 0"),
        ("crg:object HP:0001945", "crg:object HP:0001945, HP:0012531", "expected one object, found 2"),
        ("crg:object HP:0001945", "crg:object <https://example.org/x/y>", "gives no CURIE"),
    ],
)
def test_a_bad_assertion_is_rejected_alone(tmp_path: Path, old: str, new: str, reason: str) -> None:
    records = read(tmp_path, BRIDGE.replace(old, new, 1))
    found = [r for r in records if isinstance(r, Reject)]
    assert [r.record for r in found] == ["s1"]
    assert reason in found[0].reason
    assert len([r for r in records if isinstance(r, Fact)]) == 3


def test_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bridge\.ttl: not valid turtle"):
        read(tmp_path, BRIDGE[:-20])
    with pytest.raises(InputError, match="no crg:Assertion"):
        read(tmp_path, BRIDGE.split("crg:s1")[0])


@pytest.mark.parametrize(
    "content",
    [
        '{"@context": "http://127.0.0.1:1/x", "@id": "x"}',
        '{"@context": [{"a": "urn:b"}, "file:///dev/zero"], "@id": "x"}',
        '{"@graph": [{"@context": {"@import": "http://127.0.0.1:1/x"}, "@id": "x"}]}',
    ],
)
def test_nothing_is_fetched(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="its @context stands elsewhere, and nothing is fetched"):
        read(tmp_path, content, "bridge.jsonld")


def test_what_no_record_may_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="half of a pair of characters"):
        read(tmp_path, BRIDGE.replace('"often"', '"\\ud800"'))
    with pytest.raises(InputError, match="larger than 16 MiB"):
        read(tmp_path, BRIDGE + "#" * (16 << 20))
    records = read(tmp_path, BRIDGE.replace("crg:subject CCS:2 ;", "crg:subject <urn:other:2> ;", 1))
    assert [r.reason for r in records if isinstance(r, Reject)] == ["subject 'urn:other:2' gives no CURIE"]
