import csv
import gzip
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.conversions import conversion
from ehr.items import item_conversion, load_items
from ehr.series import is_plausible, load_series, series_by_code
from ehr.units import normalise_unit

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ITEMS = load_items("mimic_iv")
ITEM = {(item.table, item.itemid): item for item in ITEMS}


def test_definitions_are_consistent() -> None:
    series = load_series()
    assert len({s.code for s in series}) == len(series)
    assert sum(s.paper for s in series) == 11
    for s in series:
        assert s.kind in {"lab", "vital"} and re.fullmatch(r"LOINC:\d+-\d", s.code)
        assert s.plausible_low < s.plausible_high
        if s.low is not None and s.high is not None:
            assert s.low < s.high <= s.plausible_high


def test_every_loinc_code_has_a_sound_check_digit() -> None:
    for s in load_series():
        body, check = s.code.removeprefix("LOINC:").split("-")
        digits = [int(d) for d in body]
        doubled = [sum(divmod(2 * d, 10)) if i % 2 == 0 else d for i, d in enumerate(reversed(digits))]
        assert (-sum(doubled)) % 10 == int(check), s.code


def test_every_series_has_an_item() -> None:
    assert {item.code for item in ITEMS} == {s.code for s in load_series()}


@pytest.mark.parametrize(
    ("code", "unit", "value", "expected"),
    [
        ("LOINC:8310-5", "°F", 98.6, 37.0),
        ("LOINC:8310-5", "?F", 212.0, 100.0),
        ("LOINC:8310-5", "Deg. C", 37.0, 37.0),
        ("LOINC:29463-7", "LBS", 220.46226, 100.0),
        ("LOINC:2345-7", "mmol/L", 5.55, 99.987),
        ("LOINC:2345-7", "MG/DL", 100.0, 100.0),
        ("LOINC:2951-2", "mEq/L", 140.0, 140.0),
        ("LOINC:2160-0", "µmol/L", 88.42, 1.0),
        ("LOINC:6690-2", "K/uL", 9.1, 9.1),
        ("LOINC:6598-7", "ng/L", 14.0, 0.014),
        ("LOINC:11556-8", "kPa", 10.0, 75.006),
        ("LOINC:1988-5", "mg/dL", 1.2, 12.0),
    ],
)
def test_conversions(code: str, unit: str, value: float, expected: float) -> None:
    found = conversion(code, unit)
    assert found is not None
    assert found(value) == pytest.approx(expected, rel=1e-3)


def test_a_unit_that_does_not_fit_has_no_conversion() -> None:
    assert conversion("LOINC:2345-7", "mmHg") is None
    assert conversion("LOINC:2951-2", "mg/dL") is None


def test_empty_unit_is_the_items_own() -> None:
    pounds = ITEM["chartevents", "226531"]
    for empty in (None, "", "None", " n/a "):
        found = item_conversion(pounds, empty)
        assert found is not None and found(100.0) == pytest.approx(45.359237)
    in_kg = item_conversion(pounds, "kg")
    assert in_kg is not None and in_kg(100.0) == 100.0


@given(st.sampled_from([item.unit for item in ITEMS]), st.integers(0, 2))
def test_unit_case_and_blanks_do_not_matter(unit: str, blanks: int) -> None:
    assert normalise_unit(unit.upper().replace("/", " " * blanks + "/")) == normalise_unit(unit)


def test_plausibility() -> None:
    assert not is_plausible("LOINC:8867-4", 0.0)
    assert not is_plausible("LOINC:8867-4", math.nan)
    assert is_plausible("LOINC:8867-4", 80.0)
    for s in load_series():
        if s.low is not None and s.high is not None:
            assert is_plausible(s.code, (s.low + s.high) / 2) and is_plausible(s.code, s.high)


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not (DATA / "patients").is_dir(), reason="MIMIC-IV demo is not beside the checkout")
def test_labels_are_those_of_the_real_dictionaries() -> None:
    demo = DATA / "patients" / "mimic-iv-demo-2.2"
    labs = {row["itemid"]: row for row in read(demo / "hosp" / "d_labitems.csv.gz")}
    charted = {row["itemid"]: row for row in read(demo / "icu" / "d_items.csv.gz")}
    missing = []
    for item in ITEMS:
        row = (labs if item.table == "labevents" else charted).get(item.itemid)
        if row is None:
            missing.append(item)
            continue
        assert row["label"] == item.label
        if item.table == "labevents":
            assert row["fluid"] == "Blood"
        else:
            assert row["linksto"] == "chartevents" and row["param_type"].startswith("Numeric")
    assert all(item.table == "labevents" for item in missing), missing


@pytest.mark.skipif(not (DATA / "codes").is_dir(), reason="code tables are not beside the checkout")
def test_items_agree_with_the_published_loinc_tables() -> None:
    stated = {
        row["itemid (omop_source_code)"]: row["omop_concept_code"]
        for row in read(DATA / "codes" / "d_labitems_to_loinc.csv.gz")
    }
    for row in read(DATA / "codes" / "chartevents_to_loinc.csv.gz"):
        stated[row["subject_id"].removeprefix("mimic:")] = row["object_id"].removeprefix("loinc:")
    # The project counts these with the series of the same quantity: whole blood with serum, cuff with arterial line,
    # calculated with measured; the tables give each specimen or method a code of its own.
    same_quantity = {
        **dict.fromkeys(("2339-0",), "2345-7"),
        **dict.fromkeys(("2947-0", "32717-1"), "2951-2"),
        **dict.fromkeys(("6298-4", "32713-0"), "2823-3"),
        **dict.fromkeys(("2069-3", "41650-3"), "2075-0"),
        "1959-6": "1963-8",
        "38483-4": "2160-0",
        "33037-3": "1863-0",
        "2518-9": "32693-4",
        "18262-6": "13457-7",
        "30522-7": "1988-5",
        "60834-9": "8310-5",
        "76534-7": "8480-6",
        "76535-4": "8462-4",
        "76536-2": "8478-0",
    }
    compared = 0
    for item in ITEMS:
        loinc = stated.get(item.itemid)
        if loinc:
            compared += 1
            assert f"LOINC:{same_quantity.get(loinc, loinc)}" == item.code, (item, loinc)
    assert compared > 60


def test_blood_gas_and_chart_come_after_the_laboratory() -> None:
    assert ITEM["labevents", "50931"].priority < ITEM["labevents", "50809"].priority
    assert ITEM["labevents", "50809"].priority < ITEM["chartevents", "225664"].priority
    assert ITEM["chartevents", "220050"].priority < ITEM["chartevents", "220179"].priority
    assert series_by_code()["LOINC:8480-6"].unit == "mmHg"
