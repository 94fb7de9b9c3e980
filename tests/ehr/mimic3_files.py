"""Small tables in MIMIC-III 1.4's layout, columns as published."""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

Rows = Sequence[dict[str, object]]

COLUMNS = {
    "PATIENTS": "ROW_ID,SUBJECT_ID,GENDER,DOB,DOD,DOD_HOSP,DOD_SSN,EXPIRE_FLAG",
    "ADMISSIONS": (
        "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME,DISCHTIME,DEATHTIME,ADMISSION_TYPE,ADMISSION_LOCATION,DISCHARGE_LOCATION,"
        "INSURANCE,LANGUAGE,RELIGION,MARITAL_STATUS,ETHNICITY,EDREGTIME,EDOUTTIME,DIAGNOSIS,HOSPITAL_EXPIRE_FLAG,"
        "HAS_CHARTEVENTS_DATA"
    ),
    "DIAGNOSES_ICD": "ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE",
    "LABEVENTS": "ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG",
    "CHARTEVENTS": (
        "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,ITEMID,CHARTTIME,STORETIME,CGID,VALUE,VALUENUM,VALUEUOM,WARNING,ERROR,"
        "RESULTSTATUS,STOPPED"
    ),
    "ICUSTAYS": (
        "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,DBSOURCE,FIRST_CAREUNIT,LAST_CAREUNIT,FIRST_WARDID,LAST_WARDID,INTIME,"
        "OUTTIME,LOS"
    ),
    "NOTEEVENTS": ("ROW_ID,SUBJECT_ID,HADM_ID,CHARTDATE,CHARTTIME,STORETIME,CATEGORY,DESCRIPTION,CGID,ISERROR,TEXT"),
    "PRESCRIPTIONS": (
        "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,STARTDATE,ENDDATE,DRUG_TYPE,DRUG,DRUG_NAME_POE,DRUG_NAME_GENERIC,"
        "FORMULARY_DRUG_CD,GSN,NDC,PROD_STRENGTH,DOSE_VAL_RX,DOSE_UNIT_RX,FORM_VAL_DISP,FORM_UNIT_DISP,ROUTE"
    ),
    "SERVICES": "ROW_ID,SUBJECT_ID,HADM_ID,TRANSFERTIME,PREV_SERVICE,CURR_SERVICE",
    "PROCEDUREEVENTS_MV": (
        "ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,STARTTIME,ENDTIME,ITEMID,VALUE,VALUEUOM,LOCATION,LOCATIONCATEGORY,"
        "STORETIME,CGID,ORDERID,LINKORDERID,ORDERCATEGORYNAME,SECONDARYORDERCATEGORYNAME,ORDERCATEGORYDESCRIPTION,"
        "ISOPENBAG,CONTINUEINNEXTDEPT,CANCELREASON,STATUSDESCRIPTION,COMMENTS_EDITEDBY,COMMENTS_CANCELEDBY,"
        "COMMENTS_DATE"
    ),
    "MICROBIOLOGYEVENTS": (
        "ROW_ID,SUBJECT_ID,HADM_ID,CHARTDATE,CHARTTIME,SPEC_ITEMID,SPEC_TYPE_DESC,ORG_ITEMID,ORG_NAME,ISOLATE_NUM,"
        "AB_ITEMID,AB_NAME,DILUTION_TEXT,DILUTION_COMPARISON,DILUTION_VALUE,INTERPRETATION"
    ),
    "D_ITEMS": "ROW_ID,ITEMID,LABEL,ABBREVIATION,DBSOURCE,LINKSTO,CATEGORY,UNITNAME,PARAM_TYPE,CONCEPTID",
    "D_LABITEMS": "ROW_ID,ITEMID,LABEL,FLUID,CATEGORY,LOINC_CODE",
}

PATIENTS: Rows = [
    {"SUBJECT_ID": 1, "GENDER": "F", "DOB": "2090-06-15 00:00:00"},
    {"SUBJECT_ID": 2, "GENDER": "M", "DOB": "1841-03-01 00:00:00"},  # 300 years old
    {"SUBJECT_ID": 3, "GENDER": "F", "DOB": "2160-06-01 00:00:00"},  # newborn
]
ADMISSIONS: Rows = [
    {
        "SUBJECT_ID": 1,
        "HADM_ID": 11,
        "ADMITTIME": "2152-01-01 10:00:00",
        "DISCHTIME": "2152-01-05 10:00:00",
        "DEATHTIME": "2152-01-05 12:30:00",  # after discharge
        "ADMISSION_TYPE": "EMERGENCY",
        "ADMISSION_LOCATION": "EMERGENCY ROOM ADMIT",
        "EDREGTIME": "2152-01-01 06:00:00",
        "DIAGNOSIS": "SEPSIS;ACUTE RENAL FAILURE",
    },
    {
        "SUBJECT_ID": 1,
        "HADM_ID": 12,
        "ADMITTIME": "2152-07-01 00:00:00",
        "DISCHTIME": "2152-07-03 12:00:00",
        "ADMISSION_TYPE": "ELECTIVE",
        "ADMISSION_LOCATION": "** INFO NOT AVAILABLE **",
    },
    {"SUBJECT_ID": 2, "HADM_ID": 21, "ADMITTIME": "2141-06-01 00:00:00", "DISCHTIME": "2141-06-02 00:00:00"},
    # Discharged before the admission.
    {"SUBJECT_ID": 3, "HADM_ID": 31, "ADMITTIME": "2160-06-01 14:00:00", "DISCHTIME": "2160-06-01 09:00:00"},
]
DIAGNOSES: Rows = [
    {"HADM_ID": 11, "SEQ_NUM": 1, "ICD9_CODE": "0389"},
    {"HADM_ID": 11, "SEQ_NUM": 2, "ICD9_CODE": " 5849 "},
    {"HADM_ID": 12, "SEQ_NUM": 1, "ICD9_CODE": "4280"},
    {"HADM_ID": 21, "SEQ_NUM": 1, "ICD9_CODE": "V5861"},
    {"HADM_ID": 21, "SEQ_NUM": "", "ICD9_CODE": ""},  # a row without code
]


class Mimic3Builder:
    """Writes them as PhysioNet does (upper-case names, quoted texts, packed) or as the demo (lower-case columns)."""

    patients, admissions, diagnoses = PATIENTS, ADMISSIONS, DIAGNOSES

    def __init__(self, root: Path) -> None:
        self.root = root
        self._rows = 0

    def write(self, table: str, rows: Rows, *, suffix: str = ".csv.gz", lower: bool = False, stem: str = "") -> Path:
        names = COLUMNS[table].split(",")
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC, restval=None)
        if lower:
            text.write(",".join(names).lower() + "\n")
        else:
            writer.writeheader()
        for row in rows:
            self._rows += 1
            unknown = set(row) - set(names)
            assert not unknown, unknown
            writer.writerow({"ROW_ID": self._rows, **row})
        path = self.root / f"{stem or table}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.getvalue().encode()
        path.write_bytes(gzip.compress(data, mtime=0) if suffix.lower().endswith(".gz") else data)
        return path

    def base(self, **how: object) -> None:
        self.write("PATIENTS", PATIENTS, **how)  # type: ignore[arg-type]
        self.write("ADMISSIONS", ADMISSIONS, **how)  # type: ignore[arg-type]
        self.write("DIAGNOSES_ICD", DIAGNOSES, **how)  # type: ignore[arg-type]
        self.write("LABEVENTS", [], **how)  # type: ignore[arg-type]

    def lab(self, hadm: object, itemid: int, time: str, value: object, unit: str = "", **more: object) -> dict:
        patient = {"11": 1, "12": 1, "21": 2, "31": 3}.get(str(hadm), 1)
        number = value if isinstance(value, int | float) else ""
        row = {"SUBJECT_ID": patient, "HADM_ID": hadm, "ITEMID": itemid, "CHARTTIME": time, "VALUE": str(value)}
        return {**row, "VALUENUM": number, "VALUEUOM": unit, **more}

    def chart(self, hadm: object, itemid: int, time: str, value: object, unit: str = "", **more: object) -> dict:
        return {**self.lab(hadm, itemid, time, value, unit), "ICUSTAY_ID": 900, **more}
