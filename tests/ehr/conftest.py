import csv
import gzip
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from ehr.cohort import Cohort
from ehr.ingest import ingest
from ehr.progress import set_quiet
from tests.ehr.eicu_files import EicuBuilder
from tests.ehr.mimic3_files import Mimic3Builder

Rows = Sequence[dict[str, object]]

COLUMNS = {
    "hosp/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "hosp/admissions": (
        "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admission_location,edregtime,edouttime"
    ),
    "hosp/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "hosp/labevents": (
        "labevent_id,subject_id,hadm_id,specimen_id,itemid,charttime,value,valuenum,valueuom,"
        "ref_range_lower,ref_range_upper,flag,comments"
    ),
    "hosp/prescriptions": "subject_id,hadm_id,pharmacy_id,starttime,drug_type,drug",
    "hosp/services": "subject_id,hadm_id,transfertime,prev_service,curr_service",
    "hosp/microbiologyevents": (
        "microevent_id,subject_id,hadm_id,chartdate,charttime,spec_type_desc,storedate,storetime,org_name"
    ),
    "icu/chartevents": "subject_id,hadm_id,stay_id,charttime,itemid,value,valuenum,valueuom,warning",
    "icu/icustays": "subject_id,hadm_id,stay_id,first_careunit,intime,outtime",
    "icu/procedureevents": "subject_id,hadm_id,stay_id,starttime,itemid,ordercategoryname",
    "icu/d_items": "itemid,label,linksto",
    "note/discharge": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,text",
}

PATIENTS = [
    {"subject_id": 1, "gender": "F", "anchor_age": 60, "anchor_year": 2150, "anchor_year_group": "2011 - 2013"},
    {"subject_id": 2, "gender": "M", "anchor_age": 91, "anchor_year": 2140, "anchor_year_group": "2014 - 2016"},
    {"subject_id": 3, "gender": "F", "anchor_age": 40, "anchor_year": 2160, "anchor_year_group": "2017 - 2019"},
]
ADMISSIONS = [
    {
        "subject_id": 1,
        "hadm_id": 11,
        "admittime": "2152-01-01 10:00:00",
        "dischtime": "2152-01-05 10:00:00",
        "admission_type": "EW EMER.",
        "admission_location": "EMERGENCY ROOM",
        "edregtime": "2152-01-01 06:00:00",
    },
    {"subject_id": 1, "hadm_id": 12, "admittime": "2152-03-01 00:00:00", "dischtime": "2152-03-03 12:00:00"},
    {"subject_id": 2, "hadm_id": 21, "admittime": "2141-06-01 00:00:00", "dischtime": "2141-06-02 00:00:00"},
    {"subject_id": 3, "hadm_id": 31, "admittime": "2160-06-01 00:00:00", "dischtime": "2160-06-11 00:00:00"},
]
DIAGNOSES = [
    {"subject_id": 1, "hadm_id": 11, "seq_num": 1, "icd_code": "N179", "icd_version": 10},
    {"subject_id": 1, "hadm_id": 11, "seq_num": 2, "icd_code": " R6521 ", "icd_version": 10},
    {"subject_id": 1, "hadm_id": 12, "seq_num": 1, "icd_code": "4280", "icd_version": 9},
    {"subject_id": 2, "hadm_id": 21, "seq_num": 1, "icd_code": "I10", "icd_version": 10},
    {"subject_id": 3, "hadm_id": 31, "seq_num": 1, "icd_code": "Z3800", "icd_version": 10},
]


class HospitalBuilder:
    """Writes small tables in MIMIC-IV's layout."""

    patients = PATIENTS
    admissions = ADMISSIONS
    diagnoses = DIAGNOSES

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, table: str, rows: Rows, *, suffix: str = ".csv.gz", columns: str | None = None) -> Path:
        names = (columns or COLUMNS[table]).split(",")
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(dict(row) for row in rows)
        path = self.root / f"{table}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.getvalue().encode()
        path.write_bytes(gzip.compress(data, mtime=0) if suffix.lower().endswith(".gz") else data)
        return path

    def lab(self, number: int, hadm: object, itemid: int, time: str, measured: object = "", **more: object) -> dict:
        patient = {"11": 1, "12": 1, "21": 2, "31": 3}.get(str(hadm), 1)
        row = {"labevent_id": number, "subject_id": patient, "hadm_id": hadm, "itemid": itemid, "charttime": time}
        return {**row, "value": measured, "valuenum": measured, **more}

    def chart(self, hadm: int, itemid: int, time: str, measured: object, **more: object) -> dict:
        row = {"subject_id": 1, "hadm_id": hadm, "stay_id": hadm * 10, "itemid": itemid, "charttime": time}
        return {**row, "value": measured, "valuenum": measured, **more}


@pytest.fixture
def hospital(tmp_path: Path) -> HospitalBuilder:
    """A directory with the four tables that ingestion needs: 3 patients, 4 admissions, no labs."""
    builder = HospitalBuilder(tmp_path / "mimic")
    builder.write("hosp/patients", PATIENTS)
    builder.write("hosp/admissions", ADMISSIONS)
    builder.write("hosp/diagnoses_icd", DIAGNOSES)
    builder.write("hosp/labevents", [])
    return builder


@pytest.fixture
def mimic3(tmp_path: Path) -> Mimic3Builder:
    """A MIMIC-III directory with the tables that ingestion needs."""
    builder = Mimic3Builder(tmp_path / "mimic-iii")
    builder.base()
    return builder


@pytest.fixture
def eicu(tmp_path: Path) -> EicuBuilder:
    """An eICU directory with the tables that ingestion needs."""
    builder = EicuBuilder(tmp_path / "eicu-crd")
    builder.base()
    return builder


@pytest.fixture
def run(hospital: HospitalBuilder, tmp_path: Path) -> Callable[..., Cohort]:
    """Ingests ``hospital``; tests of another layout have a fixture of this name of their own."""
    return partial(ingest, hospital.root, tmp_path / "cohort")


@pytest.fixture(autouse=True)
def _quiet() -> "Callable[[], None]":  # type: ignore[misc]
    set_quiet(True)
    yield  # type: ignore[misc]
    set_quiet(False)
