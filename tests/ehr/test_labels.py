from pathlib import Path

import polars as pl
import pytest

from ehr.errors import InputError
from ehr.label_files import read_label_set, write_label_set
from ehr.labels import UNLISTED, WITHOUT_MAP, clean_codes, is_listed, read_codes
from ehr.phenotypes import load_phenotypes

LABELS = load_phenotypes()
NO_MAP = pl.DataFrame(schema={"code": pl.String, "version": pl.String, "icd_code": pl.String, "icd_version": pl.String})


def counted(*rows: tuple[str, str | None, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"code": pl.String, "version": pl.String, "len": pl.Int64}, orient="row")


def names(positions: list[int]) -> list[str]:
    return [LABELS.ids[position] for position in positions]


def test_codes_are_read_and_those_of_no_table_are_listed() -> None:
    reading = read_codes(counted(("I10", "10", 3), ("QQQ", "10", 2), ("n17.9", "10", 1)), NO_MAP, LABELS, "d")
    assert [(clean, names(found)) for clean, found in reading.codes.select("clean", "labels").iter_rows()] == [
        ("I10", ["CCS:98"]),
        ("QQQ", []),
        ("N179", ["CCS:157"]),
    ]
    assert reading.unmapped.rows() == [("QQQ", "10", "QQQ", UNLISTED)]


@pytest.mark.parametrize("version", ["11", None, "IX", "ICD10"])
def test_unknown_version_names_file_and_number_of_rows(version: str | None) -> None:
    with pytest.raises(InputError, match=r"hosp/diagnoses_icd.csv: 2 diagnoses with unknown ICD version"):
        read_codes(counted(("I10", version, 2)), NO_MAP, LABELS, "hosp/diagnoses_icd.csv")


@pytest.mark.parametrize(
    ("code", "version", "expected"),
    [
        (" N17.9 ", 10, [("N179", 10)]),
        ("n179", 10, [("N179", 10)]),
        ("0389", 9, [("0389", 9)]),
        ("38.9", 9, [("0389", 9)]),  # the zero was lost, the point says so
        ("389", 9, [("389", 9)]),  # hearing loss, a code of its own
        ("4019", 9, [("4019", 9)]),
        ("04019", 9, [("4019", 9)]),  # a zero too many
        ("8", 9, [("008", 9)]),
        ("V5.867", 9, [("V05867", 9)]),
        ("E8.49", 9, [("E00849", 9)]),
        ("038.9, A41.9", 9, [("0389", 9), ("A419", 10)]),
        ("038.9; 995.92", 9, [("0389", 9), ("99592", 9)]),
        ("A41.9|R65.20", 10, [("A419", 10), ("R6520", 10)]),
        ("428.0 584.9", 9, [("4280", 9), ("5849", 9)]),
        ("584.9,584.9", 9, [("5849", 9)]),
        ("N17 9", 10, [("N179", 10)]),  # a blank in one code
        ("I10", 9, [("I10", 10)]),  # no ICD-9-CM code begins so
        ("E119, 25000", 9, [("E119", 10), ("25000", 9)]),
        ("V451", 9, [("V451", 9)]),
        (",", 9, [(",", 9)]),
    ],
)
def test_odd_spellings(code: str, version: int, expected: list[tuple[str, int]]) -> None:
    assert clean_codes(code, version) == expected


def test_two_codes_of_one_field_count_both() -> None:
    reading = read_codes(counted(("038.9, A41.9, N17.9", "9", 4)), NO_MAP, LABELS, "d")
    assert reading.codes["system"].to_list() == ["ICD9CM", "ICD10CM", "ICD10CM"]
    assert reading.mended == {"two_in_one_field": 1, "zeros": 0, "other_version": 1}


def test_a_snomed_code_bears_what_at_least_half_of_its_icd_codes_bear() -> None:
    rows = [
        ("14669001", "SNOMEDCT", "N17.9", "10"),
        ("14669001", "SNOMEDCT", "584.9", "9"),
        ("73211009", "SNOMEDCT", "E11.9", "10"),
        ("73211009", "SNOMEDCT", "Z00.00", "10"),
        ("1", "SNOMEDCT", "N17.9", "10"),
        ("1", "SNOMEDCT", "Z00.00", "10"),
        ("1", "SNOMEDCT", "Z38.00", "10"),
    ]
    code_map = pl.DataFrame(rows, schema=NO_MAP.schema, orient="row")
    given = counted(*[(code, "SNOMEDCT", 1) for code in ("14669001", "73211009", "1", "999")])
    reading = read_codes(given, code_map, LABELS, "d")
    assert [names(found) for found in reading.codes["labels"]] == [["CCS:157"], ["CCS:49"], [], []]
    assert reading.unmapped.rows() == [("999", "SNOMEDCT", "999", WITHOUT_MAP)]


def test_another_system_without_any_map_is_listed() -> None:
    reading = read_codes(counted(("999", "SNOMEDCT", 5)), NO_MAP, LABELS, "d")
    assert reading.unmapped["reason"].to_list() == [WITHOUT_MAP]


@pytest.mark.parametrize(
    ("code", "version", "listed"),
    [
        ("V707", 9, True),
        ("Z38.00", 10, True),
        ("S030XXA", 10, True),  # retired, its stem is listed
        ("ZZZ9", 10, False),
        ("99999", 9, False),
        ("", 10, False),
    ],
)
def test_is_listed(code: str, version: int, listed: bool) -> None:
    assert is_listed(code, version) == listed


def test_label_set_of_groups_and_prefixes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[phenotype]]\nid = "CCS:157"\nname = "renal failure"\nccs = [157]\n'
        '[[phenotype]]\nid = "CCSR:NEO022"\nname = "lung cancer"\nccsr = ["RSP002"]\n'
        '[[phenotype]]\nid = "my:covid"\nname = "covid"\nicd10cm = ["U07.1"]\n'
    )
    labels = read_label_set(path)
    assert labels.ids == ("CCS:157", "CCSR:NEO022", "my:covid")
    assert labels.phenotypes_of("584.9", 9) == labels.phenotypes_of("N17.9", 10) == ("CCS:157",)
    assert labels.phenotypes_of("J18.9", 10) == ("CCSR:NEO022",)
    assert labels.phenotypes_of("486", 9) == ("CCSR:NEO022",)  # through CMS's mappings
    assert labels.phenotypes_of("U071", 10) == ("my:covid",)
    again = tmp_path / "again.toml"
    again.write_text(write_label_set(labels))
    assert load_phenotypes(again) == labels


def test_label_set_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,name,ccs,icd10cm\nCCS:2,Septicemia,2,A40;A41\nmy:x,hypertension,,I10 I11\n")
    labels = read_label_set(path)
    assert labels.phenotypes_of("0389", 9) == labels.phenotypes_of("A41.9", 10) == ("CCS:2",)
    assert labels.phenotypes_of("I11.0", 10) == ("my:x",)


def test_ccs_table_of_icd10(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("icd10cm_code,ccs_category\nN990,157\n")
    path = tmp_path / "mine.toml"
    path.write_text('ccs_table = "table.csv"\n[[phenotype]]\nid = "CCS:157"\nname = "renal failure"\nccs = [157]\n')
    labels = read_label_set(path)
    assert labels.phenotypes_of("N99.0", 10) == ("CCS:157",) and labels.phenotypes_of("N17.9", 10) == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.toml", '[[phenotype]]\nid = "a:1"\nname = "x"\nccs = ["nine"]\n', "no CCS group"),
        ("x.toml", '[[phenotype]]\nid = "a:1"\nname = "x"\nccsr = ["nine"]\n', "no CCSR category"),
        ("x.toml", '[[phenotype]]\nid = "a:1"\nname = "x"\n', "no code in it"),
        ("x.toml", '[[phenotype]]\nid = "a"\nname = "x"\nicd9cm = ["584"]\n', "no CURIE"),
        ("x.toml", "phenotype = 1\n", "no \\[\\[phenotype"),
        ("x.toml", "[[", "not valid TOML"),
        ("x.csv", "id,label\na:1,x\n", "columns are id, label"),
        ("x.csv", "id,name,icd9cm\n", "columns are"),
        ("x.txt", "", "no label set"),
        ("x.toml", '[[phenotype]]\nid = "a:1"\nname = "x"\nicd9cm = ["5-84"]\n', "is no range"),
        ("x.toml", 'ccs_table = "absent"\n[[phenotype]]\nid = "a:1"\nname = "x"\nccs = [157]\n', "no such file"),
    ],
)
def test_bad_label_sets(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_label_set(tmp_path / name)
