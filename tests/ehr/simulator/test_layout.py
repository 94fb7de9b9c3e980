"""The files are MIMIC-IV's: names, columns, ids that fit together, units and times as hospitals write them."""

import csv
import gzip
from pathlib import Path

import polars as pl
import pytest

from ehr.items import load_items
from ehr.simulator import SimulationSummary
from ehr.simulator.layout import COLUMNS
from ehr.simulator.tables import load_tables

DEMO = Path(__file__).parents[3].parent / "shared" / "data" / "patients" / "mimic-iv-demo-2.2"


def header(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_columns_are_those_of_mimic_iv(hospital: Path, table: str) -> None:
    assert tuple(header(hospital / f"{table}.csv.gz")) == COLUMNS[table]
    real = DEMO / f"{table}.csv.gz"
    if table == "icu/chartevents":
        real = DEMO / "icu" / "chartevents_rebuilt_numeric.csv.gz"
    if real.exists():
        assert header(real) == list(COLUMNS[table])
    elif table != "note/discharge":
        pytest.skip("no real MIMIC-IV beside the checkout")


def test_counts_of_the_summary_are_those_of_the_files(hospital: Path, summary: SimulationSummary) -> None:
    assert summary.admissions == 600 == sum(summary.splits.values())
    for table in ("hosp/labevents", "icu/chartevents", "note/discharge", "hosp/patients"):
        assert pl.read_csv(hospital / f"{table}.csv.gz", infer_schema=False).height == summary.rows[table]


def test_ids_fit_together(hospital: Path) -> None:
    admissions = pl.read_csv(hospital / "hosp" / "admissions.csv.gz", try_parse_dates=True)
    assert admissions["hadm_id"].n_unique() == admissions.height
    patients = pl.read_csv(hospital / "hosp" / "patients.csv.gz")
    assert set(admissions["subject_id"]) == set(patients["subject_id"])
    key = ["subject_id", "hadm_id"]
    for table in ("hosp/labevents", "icu/chartevents", "hosp/prescriptions", "note/discharge", "hosp/diagnoses_icd"):
        rows = pl.read_csv(hospital / f"{table}.csv.gz", columns=key)
        assert rows.join(admissions, on=key, how="anti").is_empty(), table
    assert pl.read_csv(hospital / "hosp" / "labevents.csv.gz")["labevent_id"].is_unique().all()
    assert pl.read_csv(hospital / "hosp" / "transfers.csv.gz")["transfer_id"].is_unique().all()


def test_dates_are_shifted_and_in_order(hospital: Path) -> None:
    admissions = pl.read_csv(hospital / "hosp" / "admissions.csv.gz", try_parse_dates=True)
    assert admissions["admittime"].dt.year().is_between(2110, 2200).all()
    assert (admissions["dischtime"] > admissions["admittime"]).all()
    ordered = admissions.sort("subject_id", "admittime").with_columns(
        before=pl.col("dischtime").shift(1).over("subject_id")
    )
    assert (ordered["admittime"] > ordered["before"]).drop_nulls().all()
    dead = admissions.filter(pl.col("hospital_expire_flag") == 1)
    last = admissions.group_by("subject_id").agg(pl.col("admittime").max().alias("last"))
    assert (dead.join(last, on="subject_id")["admittime"] == dead.join(last, on="subject_id")["last"]).all()


def test_codes_of_both_versions(hospital: Path) -> None:
    codes = pl.read_csv(hospital / "hosp" / "diagnoses_icd.csv.gz", schema_overrides={"icd_code": pl.String})
    assert set(codes["icd_version"]) == {9, 10}
    assert codes.group_by("hadm_id").agg(pl.col("icd_version").n_unique())["icd_version"].max() == 1
    known = pl.read_csv(hospital / "hosp" / "d_icd_diagnoses.csv.gz", schema_overrides={"icd_code": pl.String})
    assert codes.join(known, on=["icd_code", "icd_version"], how="anti").is_empty()


def test_items_are_those_that_the_reader_knows() -> None:
    known = {(item.table, int(item.itemid)): item.code for item in load_items("mimic_iv")}
    tables = load_tables()
    for item in tables.items:
        assert known[item.table, item.itemid] == tables.series[item.series].code


def test_units_as_in_the_real_thing(hospital: Path) -> None:
    chart = pl.read_csv(hospital / "icu" / "chartevents.csv.gz")
    fahrenheit = chart.filter(pl.col("itemid") == 223761)["valuenum"]
    assert 97 < fahrenheit.median() < 100
    assert fahrenheit.min() < 45, "some Celsius values are filed as Fahrenheit"
    oxygen = chart.filter(pl.col("itemid") == 223835)["valuenum"]
    assert oxygen.min() < 1 < 21 <= oxygen.max() <= 100, "fractions and per cent"
    pounds = chart.filter(pl.col("itemid") == 226531)["valuenum"].median()
    kilograms = chart.filter(pl.col("itemid") == 226512)["valuenum"].median()
    assert 1.9 < pounds / kilograms < 2.5


def test_texts_instead_of_numbers(hospital: Path) -> None:
    labs = pl.read_csv(hospital / "hosp" / "labevents.csv.gz", schema_overrides={"value": pl.String})
    without = labs.filter(pl.col("valuenum").is_null())
    assert {"<0.01", "NEG", "ART.", "___"} <= set(without["value"])
    numbers = labs.filter(pl.col("valuenum").is_not_null())
    assert (numbers["value"].cast(pl.Float64) - numbers["valuenum"]).abs().max() < 1e-9


def test_intensive_care_is_sampled_densely_and_the_ward_sparsely(hospital: Path) -> None:
    chart = pl.read_csv(hospital / "icu" / "chartevents.csv.gz", try_parse_dates=True)
    hearts = chart.filter(pl.col("itemid") == 220045).sort("hadm_id", "charttime")
    gap = pl.col("charttime").diff().over("hadm_id", pl.col("stay_id").is_null()).dt.total_minutes()
    gaps = hearts.with_columns(gap=gap)
    intensive = gaps.filter(pl.col("stay_id").is_not_null())["gap"].drop_nulls()
    ward = gaps.filter(pl.col("stay_id").is_null())["gap"].drop_nulls()
    assert intensive.median() < 150 < 300 < ward.median()
    rows = chart.filter(pl.col("stay_id").is_not_null()).group_by("hadm_id").len()["len"]
    assert 120 < rows.median() < 450


def test_two_chart_rows_in_a_thousand_at_most_are_doubled(hospital: Path) -> None:
    chart = pl.read_csv(hospital / "icu" / "chartevents.csv.gz")
    doubled = chart.height - chart.unique().height
    assert 0 < doubled < 0.004 * chart.height
