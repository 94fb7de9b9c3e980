"""MIMIC-III's layout, on tables made with every oddity that its files are known for."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.ingest import ingest
from ehr.items import load_items
from ehr.layouts.mimic3_texts import unmask
from ehr.series import load_series
from tests.ehr.ingested import bare, counts
from tests.ehr.mimic3_files import Mimic3Builder

MAP = Path(__file__).parents[2].parent / "shared" / "data" / "codes" / "itemid_to_variable_map.csv.gz"
NOON = "2152-01-01 12:00:00"
CREATININE, TROPONIN, PO2, SPECIMEN = 50912, 51003, 50821, 50800
HR_CV, HR_MV, NBP_CV, ABP_CV, TEMP_F_CV, TEMP_C_CALC, FIO2_SET, WEIGHT_CV = 211, 220045, 455, 51, 678, 677, 190, 763


@pytest.fixture
def run(mimic3: Mimic3Builder, tmp_path: Path) -> Callable[..., Cohort]:
    return partial(ingest, mimic3.root, tmp_path / "cohort")


def test_admissions(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    assert cohort.manifest["source"]["layout"] == "mimic-iii"
    rows = cohort.table("admissions").select("admission_id", "patient_id", "age", "sex", "length_of_stay_hours").rows()
    assert rows == [
        ("11", "1", 61.0, "F", 96.0),  # birthday in June, admitted in January
        ("12", "1", 62.0, "F", 60.0),
        ("21", "2", 91.4, "M", 24.0),
        ("31", "3", 0.0, "F", None),
    ]
    table = cohort.manifest["tables"]["admissions"]
    assert (table["ages_over_89"], table["deaths_after_discharge"], table["ends_before_it_starts"]) == (1, 1, 1)
    assert cohort.admission("11").labels == {"CCS:2", "CCS:157"}
    assert cohort.admission("12").labels == {"CCS:108"}
    assert table["admissions_without_codes"] == 1


def test_codes_are_icd9(run) -> None:  # type: ignore[no-untyped-def]
    assert run().table("codes").rows() == [
        ("11", "ICD9CM", "0389", 1),
        ("11", "ICD9CM", "5849", 2),
        ("12", "ICD9CM", "4280", 1),
        ("21", "ICD9CM", "V5861", 1),
    ]


def test_codes_that_lost_their_zeros(mimic3: Mimic3Builder, run) -> None:  # type: ignore[no-untyped-def]
    codes = ["389", "5849", "845", "88", "486"]
    mimic3.write("DIAGNOSES_ICD", [{"HADM_ID": 11, "SEQ_NUM": n, "ICD9_CODE": c} for n, c in enumerate(codes)])
    cohort = run()
    assert cohort.table("codes")["code"].to_list() == ["0389", "5849", "845", "0088", "486"]
    table = cohort.manifest["tables"]["admissions"]
    assert (table["distinct_codes_zeros_restored"], table["distinct_codes_zeros_ambiguous"]) == (2, 1)


@pytest.mark.parametrize("how", [{"suffix": ".csv"}, {"lower": True, "suffix": ".csv"}, {"lower": True}])
def test_the_spelling_of_files_and_columns_does_not_matter(mimic3, run, tmp_path, how) -> None:  # type: ignore[no-untyped-def]
    lab = mimic3.lab(11, CREATININE, NOON, 2.0, "mg/dL", ROW_ID=77)
    mimic3.write("LABEVENTS", [lab])
    first = run()
    other = Mimic3Builder(tmp_path / "other")
    other.base(**how)
    other.write("LABEVENTS", [lab], **how, stem="labevents")
    (other.root / f"LABEVENTS{how.get('suffix', '.csv.gz')}").unlink()
    second = ingest(other.root, tmp_path / "second")
    for name in ("admissions", "codes", "series", "notes", "medications"):
        assert first.table(name).equals(second.table(name)), name


def test_packed_and_unpacked_side_by_side(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    lab = mimic3.lab(11, CREATININE, NOON, 2.0, "mg/dL")
    mimic3.write("LABEVENTS", [lab])
    mimic3.write("LABEVENTS", [lab], suffix=".csv")
    assert bare(run(), "11") == {"2160-0": [(2.0, 2.0)]} and counts(run())["kept"] == 1


def test_labs(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    lab = mimic3.lab
    mimic3.write(
        "LABEVENTS",
        [
            lab(11, CREATININE, NOON, 2.0, "mg/dL", ROW_ID=1, FLAG="abnormal"),
            lab(11, CREATININE, "2152-01-02 10:00:00", "1.7", "MG/DL"),  # no VALUENUM
            lab(11, CREATININE, "2152-01-02 11:00:00", "NEG", "mg/dL"),
            lab(11, CREATININE, "2152-01-02 12:00:00", "HOLD"),
            lab(11, CREATININE, "2152-01-02 13:00:00", "0-2"),
            lab(11, CREATININE, "2152-01-02 14:00:00", 1.0, "mmHg"),
            lab(11, TROPONIN, NOON, "<0.01", "ng/mL"),
            lab(11, TROPONIN, "2152-01-02 12:00:00", "GREATER THAN 25", "ng/mL"),
            lab("", CREATININE, "2152-01-01 07:00:00", 1.4, "mg/dL"),  # in the emergency department
            lab("", CREATININE, "2151-01-01 07:00:00", 1.1, "mg/dL"),  # an outpatient
            lab(11, CREATININE, "2152-01-06 00:00:00", 1.2, "mg/dL"),  # after discharge, of this admission
        ],
    )
    cohort = run()
    assert bare(cohort, "11") == {
        "2160-0": [(-3.0, 1.4), (2.0, 2.0), (24.0, 1.7)],
        "6598-7": [(2.0, 0.01), (26.0, 25.0)],
    }
    found = counts(cohort)
    assert (found["no_number"], found["unknown_unit"], found["outside_admissions"]) == (3, 1, 1)
    assert (found["kept_at_detection_limit"], found["after_cut_off"]) == (2, 1)
    assert "labevents:1" in cohort.table("series")["source_row"].to_list()


def test_blood_gases_know_their_specimen_by_time(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    lab = mimic3.lab
    mimic3.write(
        "LABEVENTS",
        [
            lab(11, PO2, NOON, 90, "mm Hg"),
            lab(11, SPECIMEN, NOON, "ART"),
            lab(11, PO2, "2152-01-01 13:00:00", 40, "mm Hg"),
            lab(11, SPECIMEN, "2152-01-01 13:00:00", "VEN"),
            lab(11, PO2, "2152-01-01 14:00:00", 95, "mm Hg"),  # nothing said
            lab(21, PO2, "2141-06-01 01:00:00", 88, "mm Hg"),
        ],
    )
    cohort = run()
    assert bare(cohort, "11") == {"11556-8": [(2.0, 90.0), (4.0, 95.0)]}
    assert bare(cohort, "21") == {"11556-8": [(1.0, 88.0)]} and counts(cohort)["venous"] == 1


def test_charts_of_carevue_and_metavision(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    chart = mimic3.chart
    mimic3.write(
        "CHARTEVENTS",
        [
            chart(11, HR_CV, NOON, 0, "BPM"),
            chart(11, HR_CV, "2152-01-01 13:00:00", 88, "BPM", ROW_ID=500, ERROR=0),
            chart(11, HR_CV, "2152-01-01 14:00:00", 188, "BPM", ERROR=1),
            chart(11, HR_CV, "2152-01-01 15:00:00", 90, "BPM", ERROR="0.0", RESULTSTATUS="Final", STOPPED="NotStopd"),
            chart(11, HR_MV, "2152-01-01 16:00:00", 91, "bpm", WARNING=0, ERROR=0),
            chart(11, NBP_CV, NOON, 120, "mmHg"),
            chart(11, ABP_CV, NOON, 110, "mmHg"),
            chart(11, TEMP_F_CV, NOON, 98.6, "Deg. F"),
            chart(11, TEMP_C_CALC, NOON, 37.0, "Deg. C"),
            chart(11, TEMP_F_CV, "2152-01-01 13:00:00", 37.5, "Deg. F"),  # Celsius, filed as Fahrenheit
            chart(11, FIO2_SET, NOON, 0.5, "torr"),  # no unit of a fraction
            chart(11, FIO2_SET, "2152-01-01 13:00:00", 0.7, ""),
            chart(11, WEIGHT_CV, NOON, 80, "kg"),
            chart(11, WEIGHT_CV, "2152-01-02 12:00:00", "81.5", ""),
            chart(11, 791, NOON, 2.0),
            chart("", HR_CV, NOON, 70, "BPM"),
        ],
    )
    cohort = run()
    assert bare(cohort, "11") == {
        "2160-0": [(2.0, 2.0)],
        "29463-7": [(2.0, 80.0), (26.0, 81.5)],
        "3150-0": [(2.0, 50.0), (3.0, 70.0)],
        "8310-5": [(2.0, 37.0), (3.0, 37.5)],
        "8480-6": [(2.0, 110.0)],
        "8867-4": [(3.0, 88.0), (5.0, 90.0), (6.0, 91.0)],
    }
    found = counts(cohort)
    assert (found["withdrawn"], found["implausible"], found["outside_admissions"], found["same_time"]) == (1, 1, 1, 2)
    assert "chartevents:500:211" in cohort.table("series")["source_row"].to_list()


NOTE = """Admission Date:  [**2152-1-1**]              Discharge Date:   [**2152-1-5**]

Service: MEDICINE

HISTORY OF PRESENT ILLNESS:  The patient is a 61-year-old woman of
[**Hospital1 18**] with fever for
three days.

PAST MEDICAL HISTORY:
1.  Hypertension.

MEDICATIONS ON ADMISSION:
1.  Lisinopril 10 mg p.o. q.d.
2.  Simvastatin 20 mg

PHYSICAL EXAMINATION:  Febrile, crackles at the left base.

LABORATORY DATA:  White count 18.

CONCISE SUMMARY OF HOSPITAL COURSE BY SYSTEM:  She had septic shock and pneumonia.

DISCHARGE DIAGNOSES:
1.  Septic shock.
"""


def note(hadm: object, text: str, date: str = "2152-01-05 00:00:00", **more: object) -> dict[str, object]:
    row = {"HADM_ID": hadm, "CHARTDATE": date, "CATEGORY": "Discharge summary", "DESCRIPTION": "Report", "TEXT": text}
    return {**row, **more}


def test_notes(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    later = NOTE.replace("three days", "four days")
    mimic3.write(
        "NOTEEVENTS",
        [
            note(11, NOTE.replace("three", "nine"), date="2152-01-04 00:00:00"),
            note(11, later, ROW_ID=41),
            note(11, NOTE.replace("three", "two"), ROW_ID=40),
            note(11, "HISTORY OF PRESENT ILLNESS: addendum", date="2152-01-06", DESCRIPTION="Addendum"),
            note(11, "HISTORY OF PRESENT ILLNESS: wrong", date="2152-01-07", ISERROR="1"),
            note(11, "HISTORY OF PRESENT ILLNESS: nurse", date="2152-01-07", CATEGORY="Nursing/other"),
            note(11, "HISTORY OF PRESENT ILLNESS: x-ray", CATEGORY="Radiology", CHARTTIME="2152-01-07 01:00:00"),
            note("", "HISTORY OF PRESENT ILLNESS: nobody's"),
            note(12, "HISTORY OF PRESENT ILLNESS: only an addendum", DESCRIPTION="Addendum"),
        ],
    )
    cohort = run()
    found = {(a, s): t for a, s, t, o in cohort.table("notes").rows() if o == "note"}
    assert found["11", "history_of_present_illness"] == (
        "The patient is a 61-year-old woman of ___ with fever for four days."
    )
    assert found["11", "physical_exam"] == "Febrile, crackles at the left base."
    assert {a for a, _ in found} == {"11"}
    everything = " ".join(found.values()).lower()
    assert "septic" not in everything and "white count" not in everything and "[**" not in everything
    drugs = cohort.table("medications").filter(pl.col("before_admission"))
    assert drugs.select("name", "source_row").rows() == [
        ("Lisinopril", "noteevents:41"),
        ("Simvastatin", "noteevents:41"),
    ]
    assert cohort.table("notes").filter(pl.col("admission_id") == "12")["origin"].to_list() == ["summary"]


def test_paper_policy_keeps_the_course(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    mimic3.write("NOTEEVENTS", [note(11, NOTE)])
    notes = run(note_policy="paper").table("notes").filter(pl.col("section") == "hospital_course")
    assert notes["text"].to_list() == ["She had septic shock and pneumonia."]


def test_marks_of_what_was_removed() -> None:
    assert unmask("seen by Dr. [**Last Name (STitle) **] on [**2152-1-\n3**] at 5") == "seen by Dr. ___ on ___ at 5"
    assert unmask("[** never closed") == "[** never closed"


def test_drugs_and_summary(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    day = "2152-01-01 00:00:00"
    mimic3.write(
        "PRESCRIPTIONS",
        [
            {
                "HADM_ID": 11,
                "STARTDATE": day,
                "DRUG_TYPE": "MAIN",
                "DRUG": "Vancomycin",
                "ROUTE": "NA",
            },
            {"HADM_ID": 11, "STARTDATE": day, "DRUG_TYPE": "BASE", "DRUG": "D5W"},
            {"HADM_ID": 11, "STARTDATE": "2152-01-04 00:00:00", "DRUG_TYPE": "MAIN", "DRUG": "Heparin"},
        ],
    )
    mimic3.write("SERVICES", [{"HADM_ID": 11, "TRANSFERTIME": "2152-01-01 10:00:00", "CURR_SERVICE": "CMED"}])
    stays = [
        {"HADM_ID": 11, "DBSOURCE": "carevue", "FIRST_CAREUNIT": "CSRU", "INTIME": NOON},
        {"HADM_ID": 12, "DBSOURCE": "metavision", "FIRST_CAREUNIT": "MICU", "INTIME": "2152-07-01 01:00:00"},
        {"HADM_ID": 21, "DBSOURCE": "carevue", "FIRST_CAREUNIT": "MICU", "INTIME": "2141-06-01 01:00:00"},
        {"HADM_ID": 21, "DBSOURCE": "metavision", "FIRST_CAREUNIT": "MICU", "INTIME": "2141-06-01 09:00:00"},
    ]
    mimic3.write("ICUSTAYS", stays)
    mimic3.write("D_ITEMS", [{"ITEMID": 225401, "LABEL": "Blood Cultured"}, {"ITEMID": 224275, "LABEL": "20 Gauge"}])
    mimic3.write(
        "PROCEDUREEVENTS_MV",
        [
            {"HADM_ID": 11, "STARTTIME": NOON, "ITEMID": 225401, "ORDERCATEGORYNAME": "Procedures"},
            {"HADM_ID": 11, "STARTTIME": NOON, "ITEMID": 224275, "ORDERCATEGORYNAME": "Peripheral Lines"},
        ],
    )
    culture = {"HADM_ID": 11, "CHARTDATE": "2152-01-01 00:00:00", "SPEC_TYPE_DESC": "BLOOD CULTURE"}
    mimic3.write("MICROBIOLOGYEVENTS", [{**culture, "ORG_NAME": "ESCHERICHIA COLI"}])
    cohort = run()
    text = cohort.table("notes").filter(pl.col("admission_id") == "11")["text"].item()
    assert text == (
        "61-year-old woman. Admission type: emergency, from: emergency room admit. Service: cardiology. "
        "Intensive care unit: cardiac surgery recovery unit. Drugs in the first 24 hours: vancomycin. "
        "Procedures in the first 24 hours: blood cultured. Specimens taken: blood culture."
    )
    assert cohort.table("medications")["name"].to_list() == ["vancomycin", "heparin"]
    old = cohort.table("notes").filter(pl.col("admission_id") == "21")["text"].item()
    assert old.startswith("Man over 89 years.")
    assert cohort.table("admissions")["year_group"].to_list() == ["2001 - 2008", "2008 - 2012", None, None]
    unknown = cohort.table("notes").filter(pl.col("admission_id") == "12")["text"].item()
    assert "info not available" not in unknown


def test_an_item_that_the_hospital_names_otherwise_is_told(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    mimic3.write("D_ITEMS", [{"ITEMID": 211, "LABEL": "Heart Rate"}, {"ITEMID": 618, "LABEL": "Rhythm"}])
    mimic3.write("D_LABITEMS", [{"ITEMID": 50861, "LABEL": "ALANINE AMINOTRANSFERASE (ALT)"}, {"ITEMID": 50912}])
    assert run().manifest["tables"]["admissions"]["items_named_otherwise"] == ["chartevents:618"]


def test_partial_directory_says_what_is_missing(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    (mimic3.root / "LABEVENTS.csv.gz").unlink()
    assert run().manifest["source"]["absent"] == [
        "labevents",
        "chartevents",
        "icustays",
        "procedureevents_mv",
        "d_items",
        "prescriptions",
        "services",
        "microbiologyevents",
        "noteevents",
        "d_labitems",
    ]


@pytest.mark.parametrize("table", ["PATIENTS", "ADMISSIONS", "DIAGNOSES_ICD"])
def test_missing_file_is_named(mimic3, run, table: str) -> None:  # type: ignore[no-untyped-def]
    (mimic3.root / f"{table}.csv.gz").unlink()
    with pytest.raises(InputError, match=rf"no MIMIC-III directory: {table.lower()}\.csv or .* is missing"):
        run(layout="mimic-iii")


def test_missing_column_is_named(mimic3, run) -> None:  # type: ignore[no-untyped-def]
    (mimic3.root / "LABEVENTS.csv.gz").unlink()
    (mimic3.root / "LABEVENTS.csv").write_text("ROW_ID,SUBJECT_ID\n")
    with pytest.raises(InputError, match="no column 'hadm_id'; it has row_id, subject_id; expected the table labev"):
        run()


def test_equal_input_gives_equal_content(mimic3, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows = [mimic3.chart(11, 211, f"2152-01-0{1 + i % 4} {i % 24:02d}:00:00", 60 + i % 40) for i in range(3000)]
    mimic3.write("CHARTEVENTS", rows)
    first, second = run(), ingest(mimic3.root, tmp_path / "again")
    assert first.table_path("series").read_bytes() == second.table_path("series").read_bytes()


def test_command_line(mimic3, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    mimic3.write("NOTEEVENTS", [note(11, NOTE)])
    mimic3.write("LABEVENTS", [mimic3.lab(11, CREATININE, NOON, 2.0, "mg/dL")])
    command = [sys.executable, "-c", "import cli; cli.main()", "ehr", "ingest"]
    command += [str(mimic3.root), "--out", str(tmp_path / "cohort")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    assert "chartevents is not there and left out" in done.stderr and "septic" not in done.stderr
    cohort = Cohort.open(tmp_path / "cohort")
    assert cohort.ids() == ("11", "12", "21", "31") and cohort.table("series").height == 1


def test_every_item_is_of_the_release() -> None:
    items = load_items("mimic_iii")
    assert {item.code for item in items} >= {s.code for s in load_series() if s.paper}
    missing = {s.short for s in load_series()} - {s.short for s in load_series() if s.code in {i.code for i in items}}
    assert missing == set()
    for item in items:
        # MIMIC-IV's new laboratory system has items from 51650 on and 52000; III ends before.
        assert item.table == "chartevents" or 50800 <= int(item.itemid) <= 51555
        assert item.table == "labevents" or int(item.itemid) < 9000 or 220000 <= int(item.itemid) < 229700


@pytest.mark.skipif(not MAP.is_file(), reason="no public map of MIMIC-III's items here")
def test_items_have_the_labels_of_the_public_map_of_mimic_iii(mimic3, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    known = pl.read_csv(MAP, infer_schema_length=0)
    for table, name in (("chartevents", "D_ITEMS"), ("labevents", "D_LABITEMS")):
        rows = known.filter(pl.col("LINKSTO") == table).select(ITEMID="ITEMID", LABEL="MIMIC LABEL")
        assert {i.itemid for i in load_items("mimic_iii") if i.table == table} <= set(rows["ITEMID"])
        mimic3.write(name, rows.to_dicts())
    cohort = ingest(mimic3.root, tmp_path / "cohort")
    assert cohort.manifest["tables"]["admissions"]["items_named_otherwise"] == []
