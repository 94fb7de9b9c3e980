"""The MIMIC-IV demo as OHDSI's scripts convert it, without a vocabulary, against the direct reader.

The conversion here is this test's own and takes only what the reader needs: visits under the concept of the kind of
admission, diagnoses by source code alone, labs by the concepts of MIT-LCP's map. Skipped without the demo and the map.
"""

import csv
import gzip
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.ingest import ingest
from tests.ehr import omop_builder as builder

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
DEMO, MAP = SHARED / "patients" / "mimic-iv-demo-2.2", SHARED / "codes" / "d_labitems_to_loinc.csv.gz"
pytestmark = pytest.mark.skipif(
    not (DEMO.is_dir() and MAP.is_file()), reason="MIMIC-IV demo is not beside the checkout"
)


KINDS = {
    "AMBULATORY OBSERVATION": 38004207,
    "DIRECT EMER.": 8870,
    "DIRECT OBSERVATION": 581385,
    "ELECTIVE": 9201,
    "EU OBSERVATION": 581385,
    "EW EMER.": 8870,
    "OBSERVATION ADMIT": 581385,
    "SURGICAL SAME DAY ADMISSION": 8883,
    "URGENT": 262,
}
"""Concepts of OHDSI's MIMIC conversion (`gcpt_vis_admission.csv`)."""


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, Cohort]:
    place = tmp_path_factory.mktemp("omop-mimic")
    made = builder.OmopBuilder(place / "omop")
    people = read(DEMO / "hosp" / "patients.csv.gz")
    made.write(
        "person",
        [
            {
                "person_id": -int(row["subject_id"]),
                "gender_concept_id": {"F": 8532, "M": 8507}[row["gender"]],
                "year_of_birth": int(row["anchor_year"]) - int(row["anchor_age"]),
            }
            for row in people
        ],
    )
    stays = read(DEMO / "hosp" / "admissions.csv.gz")
    made.write(
        "visit_occurrence",
        [
            builder.visit(
                int(row["hadm_id"]),
                -int(row["subject_id"]),
                row["admittime"],
                row["dischtime"],
                KINDS[row["admission_type"]],
                admitted_from_source_value=row["admission_location"],
            )
            for row in stays
        ],
        suffix=".parquet",
    )
    codes = read(DEMO / "hosp" / "diagnoses_icd.csv.gz")
    conditions = [
        builder.condition(n, int(row["hadm_id"]), 0, row["icd_code"], condition_type_concept_id=32821)
        | {"person_id": -int(row["subject_id"])}
        for n, row in enumerate(codes)
    ]
    charted = [
        builder.condition(
            10**6 + n, int(row["hadm_id"]), 313217, "AF (Atrial Fibrillation)", condition_type_concept_id=32817
        )
        for n, row in enumerate(stays)
    ]
    made.write("condition_occurrence", conditions + charted, suffix=".parquet")
    concepts = {row["itemid (omop_source_code)"]: row["omop_concept_id"] for row in read(MAP)}
    labs = [
        builder.measured(
            int(row["labevent_id"]),
            int(row["hadm_id"]) if row["hadm_id"] else "",
            int(concepts[row["itemid"]]),
            row["charttime"],
            float(row["valuenum"]) if row["valuenum"] else "",
            unit_source_value=row["valueuom"],
            value_source_value=row["value"],
        )
        | {"person_id": -int(row["subject_id"])}
        for row in read(DEMO / "hosp" / "labevents.csv.gz")
        if concepts.get(row["itemid"], "").isdigit()
    ]
    made.write("measurement", labs, suffix=".parquet")
    return ingest(DEMO, place / "direct"), ingest(place / "omop", place / "cohort")


def test_admissions_are_those_that_last_over_a_night(cohorts: tuple[Cohort, Cohort]) -> None:
    direct, omop = (cohort.table("admissions") for cohort in cohorts)
    both = direct.join(omop, on="admission_id", suffix="_omop")
    assert both.height == omop.height > 200
    short = direct.join(omop, on="admission_id", how="anti")
    assert not set(short["admission_type"]) & {"ELECTIVE", "URGENT"}
    ambulatory = short.filter(pl.col("admission_type") == "AMBULATORY OBSERVATION")
    assert (short.filter(pl.col("admission_type") != "AMBULATORY OBSERVATION")["length_of_stay_hours"] < 24).all()
    assert ambulatory.height < 10
    for column in ("sex", "length_of_stay_hours"):
        assert both[column].equals(both[f"{column}_omop"])
    assert both.filter(pl.col("age") != pl.col("age_omop"))["age"].to_list() == [91.0] * 4


def test_versions_and_labels_from_the_form_of_the_codes_alone(cohorts: tuple[Cohort, Cohort]) -> None:
    direct, omop = cohorts
    labels = dict(direct.table("admissions").select("admission_id", "labels").iter_rows())
    for admission, found in omop.table("admissions").select("admission_id", "labels").iter_rows():
        assert found == labels[admission]
    key = ["admission_id", "system", "code"]
    given = direct.table("codes").filter(pl.col("admission_id").is_in(omop.ids())).select(key).unique()
    assert given.sort(key).equals(omop.table("codes").select(key).sort(key))
    assert omop.manifest["tables"]["admissions"]["conditions_charted"] == len(omop.ids())  # type: ignore[index,call-overload]


def test_labs_are_those_of_the_direct_reader(cohorts: tuple[Cohort, Cohort]) -> None:
    direct, omop = cohorts
    key = ["admission_id", "code", "hours", "value"]
    labs = direct.table("series").filter(
        pl.col("source_row").str.starts_with("labevents") & pl.col("admission_id").is_in(omop.ids())
    )
    # What was drawn in the emergency department has no admission id and lies before the visit as it is converted here.
    lost = labs.join(omop.table("series"), on=key, how="anti").filter(pl.col("hours") >= 0)
    limits = direct.manifest["tables"]["series"]["values"]["kept_at_detection_limit"]  # type: ignore[index,call-overload]
    assert labs.height > 40_000 and lost.height <= limits, "a limit of detection that stands in the comments alone"
    more = omop.table("series").join(direct.table("series"), on=key, how="anti")
    venous = more.filter(pl.col("code") == "LOINC:11556-8").height
    assert venous <= direct.manifest["tables"]["series"]["values"]["venous"]  # type: ignore[index,call-overload,operator]
    assert more.height - venous == 2, "calculated haemoglobin, which the item map of MIMIC-IV does not have"
