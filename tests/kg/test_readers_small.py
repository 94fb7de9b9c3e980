"""Ids, label set, series, files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.readers.curies import is_curie, normalise
from kg.readers.lines import read_lines
from kg.readers.phenotypes import covering_codes
from kg.readers.records import Reject
from kg.readers.series import read_series
from kg.types import Concept
from kg.vocabulary import Category


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Orphanet:558", "ORPHA:558"),
        ("http://www.orpha.net/ORDO/Orphanet_558", "ORPHA:558"),
        ("MIM:154700", "OMIM:154700"),
        ("https://omim.org/entry/154700", "OMIM:154700"),
        ("UMLS_CUI:C1", "UMLS:C1"),
        ("MSH:D004194", "MESH:D004194"),
        ("SNOMEDCT_US_2016_03_01:33176006", "SNOMEDCT_US:33176006"),
        ("http://snomed.info/id/33176006", "SNOMEDCT_US:33176006"),
        ("ICD9CM_2005:584", "ICD9CM:584"),
        ("ICD-9-CM:5849", "ICD9CM:584.9"),
        ("SCTID:33176006", "SNOMEDCT_US:33176006"),
        ("ICD-10-CM:n179", "ICD10CM:N17.9"),
        ("ICD10CM:N17.9", "ICD10CM:N17.9"),
        ("ICD-10:N17.9", "ICD10:N17.9"),
        ("http://purl.obolibrary.org/obo/HP_0001945", "HP:0001945"),
        ("http://purl.bioontology.org/ontology/RXNORM/6809", "RXNORM:6809"),
        ("https://loinc.org/8867-4", "LOINC:8867-4"),
        ("http://identifiers.org/hgnc/5", "HGNC:5"),
        ("DECIPHER:1", "DECIPHER:1"),
        ("urn:clinragen:ccs:157", "CCS:157"),
        ("urn:clinragen:concept:tobacco_use", "CRG:tobacco_use"),
        (" hp:0001945 ", "HP:0001945"),
        ("https://example.org/page", "https://example.org/page"),
    ],
)
def test_one_spelling_of_ids(written: str, expected: str) -> None:
    assert normalise(written) == expected
    assert normalise(expected) == expected


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


def test_curies_are_told_from_addresses() -> None:
    assert is_curie("HP:1")
    assert not any(map(is_curie, ("HP", "HP:", ":1", "https://x.org", "HP:1 2")))


def test_covering_codes_are_the_topmost_whole_ones() -> None:
    """N17 and N19 are renal failure as wholes, N18 is not; below I60-I63 no deeper code is named twice."""
    children = {
        "ICD10CM:N17-N19": ["ICD10CM:N17", "ICD10CM:N18", "ICD10CM:N19"],
        "ICD10CM:N17": ["ICD10CM:N17.0", "ICD10CM:N17.9"],
        "ICD10CM:N18": ["ICD10CM:N18.6"],
        "ICD10CM:I49": ["ICD10CM:I49.0", "ICD10CM:I49.1"],
    }
    found = set(covering_codes(children, load_phenotypes()))
    assert ("CCS:157", "ICD10CM:N17") in found
    assert ("CCS:157", "ICD10CM:N19") in found
    assert ("CCS:158", "ICD10CM:N18") in found
    assert not any(code in ("ICD10CM:N17.0", "ICD10CM:N17-N19", "ICD10CM:I49") for _, code in found)
    assert ("CCS:106", "ICD10CM:I49.1") in found
    assert not any(code == "ICD10CM:I49.0" and group == "CCS:106" for group, code in found)


def test_series_are_measurements(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text(
        "code,name,short,kind,unit,low,high\nLOINC:2160-0,creatinine,Cr,lab,mg/dL,0.5,1.2\nnothing,x,x,lab,1,,\n"
        "LOINC:29463-7,body weight,weight,vital,kg,,\n",
        encoding="utf-8",
    )
    records = list(read_series(path, "series"))
    found = [r for r in records if isinstance(r, Concept)]
    assert [(c.id, c.category) for c in found] == [
        ("LOINC:2160-0", Category.MEASUREMENT),
        ("LOINC:29463-7", Category.MEASUREMENT),
    ]
    assert found[0].definition == "Laboratory value, in mg/dL; reference range 0.5 to 1.2."
    assert found[1].definition == "Vital sign, in kg."
    assert [r.record for r in records if isinstance(r, Reject)] == ["line 3"]
    path.write_text("code,name\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'short'"):
        list(read_series(path, "series"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_lines(tmp_path / "nothing"))
    with pytest.raises(InputError, match="directory"):
        list(read_lines(tmp_path))
    damaged = bytearray(gzip.compress(b"x\n" * 5000))
    damaged[20] ^= 0xFF
    (tmp_path / "bad.gz").write_bytes(damaged)
    with pytest.raises(InputError, match=r"bad\.gz: (damaged|truncated) gzip"):
        list(read_lines(tmp_path / "bad.gz"))
