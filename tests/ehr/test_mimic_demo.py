"""The reader on the real MIMIC-IV demo (100 patients, 275 admissions); skipped where it is not beside the checkout."""

import csv
import gzip
import re
from pathlib import Path

import ahocorasick
import numpy as np
import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.describe import describe
from ehr.ingest import ingest
from ehr.labels import is_listed
from ehr.phenotypes import load_phenotypes
from ehr.series import is_plausible, series_by_code
from ehr.trace import trace

DEMO = Path(__file__).parents[2].parent / "shared" / "data" / "patients" / "mimic-iv-demo-2.2"
CODES = DEMO.parents[1] / "codes"
pytestmark = pytest.mark.skipif(not DEMO.is_dir(), reason="MIMIC-IV demo is not beside the checkout")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return ingest(DEMO, tmp_path_factory.mktemp("demo") / "cohort")


def test_all_admissions_and_their_labels(cohort: Cohort) -> None:
    frame = cohort.table("admissions")
    assert (frame.height, frame["patient_id"].n_unique()) == (275, 100)
    assert frame.filter(pl.col("labels").list.len() > 0).height == 253
    labels = load_phenotypes()
    assert {label for row in frame["labels"] for label in row} == set(labels.ids)
    diagnoses = cohort.manifest["tables"]["admissions"]["diagnoses"]  # type: ignore[index,call-overload]
    assert diagnoses["codes"] == 4506 and diagnoses["distinct_codes_unknown"] == 0


def test_labels_agree_with_a_plain_reading(cohort: Cohort) -> None:
    labels, plain = load_phenotypes(), {}
    with gzip.open(DEMO / "hosp" / "diagnoses_icd.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            found = labels.phenotypes_of(row["icd_code"], row["icd_version"])
            plain.setdefault(row["hadm_id"], set()).update(found)
    assert {a.admission_id: set(a.labels) for a in cohort.admissions()} == plain


@pytest.mark.skipif(not CODES.is_dir(), reason="AHRQ tables are not beside the checkout")
def test_labels_agree_code_by_code_with_the_tables_of_ahrq(cohort: Cohort) -> None:
    with gzip.open(CODES / "dxref_2015.csv.gz", "rt", encoding="latin-1") as file:
        next(file)
        nine = {row[0].strip(): row[1].strip() for row in csv.reader(file, quotechar="'") if row}
    with gzip.open(CODES / "icd10cm_to_ccs_single.csv.gz", "rt") as file:
        ten = {row["icd10cm_code"]: row["ccs_category"] for row in csv.DictReader(file)}
    tables = {"ICD9CM": nine, "ICD10CM": ten}
    labels, expected = load_phenotypes(), {}
    seen = set()
    for row in cohort.table("codes").iter_rows(named=True):
        group = f"CCS:{tables[row['system']].get(row['code'])}"
        seen.add((row["system"], row["code"]))
        of_code = set(labels.phenotypes_of(row["code"], 9 if row["system"] == "ICD9CM" else 10))
        if row["code"] in tables[row["system"]]:
            assert of_code == ({group} & set(labels.ids)), row["code"]
            expected.setdefault(row["admission_id"], set()).update(of_code)
        else:
            # Newer than AHRQ's last table: the code above it decides.
            assert is_listed(row["code"], 10), row["code"]
            expected.setdefault(row["admission_id"], set()).update(of_code)
    assert len(seen) > 1_400 and sum(code in tables[system] for system, code in seen) > 0.99 * len(seen)
    assert {a.admission_id: set(a.labels) for a in cohort.admissions()} == expected


def test_every_value_of_an_admission_is_traced(cohort: Cohort) -> None:
    counts = cohort.table("series").group_by("admission_id", "code").len().sort("len", "admission_id", descending=True)
    chosen = [*counts.head(2).iter_rows(), *counts.sample(6, seed=1).iter_rows()]
    for admission, code, count in chosen:
        rows = trace(cohort, admission, code)
        assert len(rows) == count and all(row["record"] is not None for row in rows)
        for row in rows:
            record = row["record"]
            assert record["hadm_id"] == admission if "hadm_id" in record else True
            same = abs(float(record["valuenum"]) - row["value"]) < 1e-6
            assert same or code in {"LOINC:8310-5", "LOINC:3150-0", "LOINC:29463-7"}, (code, record)  # converted


def test_ages_and_stays_are_possible(cohort: Cohort) -> None:
    frame = cohort.table("admissions")
    assert frame["age"].null_count() == 0 and frame["age"].is_between(18, 105).all()
    assert (frame["length_of_stay_hours"] > 0).all()
    assert set(frame["sex"]) == {"F", "M"}


def test_series_are_sorted_unique_and_plausible(cohort: Cohort) -> None:
    frame = cohort.table("series")
    assert frame.height > 130_000
    key = ["admission_id", "code", "hours"]
    assert frame.select(key).is_unique().all()
    assert frame.select(key).equals(frame.select(key).sort(key))
    assert set(frame["code"]) == set(series_by_code())
    for code, value in (
        frame.group_by("code")
        .agg(pl.col("value").min(), pl.col("value").max().alias("max"))
        .select("code", pl.concat_list("value", "max").alias("ends"))
        .explode("ends")
        .iter_rows()
    ):
        assert is_plausible(code, value)


@pytest.mark.parametrize(
    ("short", "low", "high"),
    [
        ("HR", 75, 100),
        ("temperature", 36.4, 37.4),
        ("FiO2", 35, 60),
        ("weight", 60, 100),
        ("SBP", 100, 130),
        ("glucose", 100, 150),
        ("pH", 7.3, 7.45),
        ("creatinine", 0.8, 1.5),
        ("sodium", 135, 142),
        ("SpO2", 95, 99),
        ("platelets", 120, 260),
    ],
)
def test_medians_are_those_of_intensive_care(cohort: Cohort, short: str, low: float, high: float) -> None:
    code = next(s.code for s in series_by_code().values() if s.short == short)
    assert low < cohort.table("series").filter(pl.col("code") == code)["value"].median() < high  # type: ignore[operator]


def test_values_stand_in_the_source(cohort: Cohort) -> None:
    wanted = cohort.table("series").filter(pl.col("source_row").str.starts_with("labevents:")).sample(200, seed=0)
    by_row = {row["source_row"].split(":")[1]: row for row in wanted.iter_rows(named=True)}
    seen = 0
    with gzip.open(DEMO / "hosp" / "labevents.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            found = by_row.get(row["labevent_id"])
            if found is not None and row["valuenum"]:
                seen += 1
                assert found["value"] == pytest.approx(float(row["valuenum"]), abs=1e-6)
                assert row["hadm_id"] in {"", found["admission_id"]}
    assert seen > 190


def test_summaries_say_nothing_that_was_coded_or_measured(cohort: Cohort) -> None:
    notes = cohort.table("notes")
    assert notes.height == 275 and set(notes["origin"]) == {"summary"}
    with gzip.open(DEMO / "hosp" / "d_icd_diagnoses.csv.gz", "rt") as file:
        titles = {row["long_title"].lower() for row in csv.DictReader(file)}
    # An organism that grew is an observation; some of ICD's titles are nothing but an organism's name.
    text = "\n".join(re.sub(r"Grown in culture: [^.]*\.", "", note) for note in notes["text"]).lower()
    names = ahocorasick.Automaton()
    for title in titles:
        names.add_word(title, title)
    names.make_automaton()
    found = {title for _, title in names.iter(text)}
    assert not {title for title in found if re.search(rf"\b{re.escape(title)}\b", text)}
    for name in (*load_phenotypes().names, "creatinine", "not measured", "normal", "heart rate"):
        assert name.lower() not in text.replace("normal saline", "")


def test_splits_are_balanced(cohort: Cohort) -> None:
    frame = cohort.table("admissions")
    assert set(frame["split"]) == {"train", "dev", "test"}
    fold_of = dict(cohort.table("folds").iter_rows())
    sizes = np.bincount([fold_of[patient] for patient in frame["patient_id"]])
    assert sizes.min() > 0.7 * sizes.max()
    for labels in load_phenotypes().ids:
        held = frame.filter(pl.col("labels").list.contains(labels))
        if held["patient_id"].n_unique() >= 10:
            assert {fold_of[patient] for patient in held["patient_id"]} == set(range(5))


def test_description(cohort: Cohort) -> None:
    rows = {row["measure"]: row for row in describe(cohort) if not str(row["group"]).startswith("leakage")}
    assert (rows["patients"]["all"], rows["admissions"]["all"]) == (100, 275)
    assert rows["admissions without any of the phenotypes, %"]["all"] == 8.0
    assert rows["admissions with a rendered summary, %"]["all"] == 100.0
    assert rows["Shock (CCS:249)"]["all"] == 8.0
    assert list(rows["patients"]) == ["group", "measure", "all", "train", "dev", "test"]
