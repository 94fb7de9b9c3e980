from pathlib import Path

import polars as pl

from ehr.cohort import Cohort
from ehr.ingest import ingest
from ehr.schemas import SCHEMAS
from tests.ehr.ingested import counts, rounded

HR, SBP_ART, SBP_CUFF, TEMP_F, TEMP_C, WEIGHT_LB, FIO2 = 220045, 220050, 220179, 223761, 223762, 226531, 223835
CREATININE, GLUCOSE, TROPONIN, PO2, SPECIMEN = 50912, 50931, 51003, 50821, 52033
CREATININE_CHART = 220615


def test_header_only_tables_give_a_whole_cohort(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    for name, schema in SCHEMAS.items():
        assert cohort.table(name).schema == schema
    assert cohort.ids() == ("11", "12", "21", "31")
    assert cohort.table("series").height == 0


def test_admissions(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    first, elderly = cohort.admission("11"), cohort.admission("21")
    assert (first.patient_id, first.age, first.sex, first.admission_type) == ("1", 62.0, "F", "EW EMER.")
    assert first.length_of_stay_hours == 96.0
    assert first.labels == {"CCS:157", "CCS:249"}
    assert cohort.admission("12").labels == {"CCS:108"}
    assert elderly.age == 91.0
    assert cohort.admission("31").labels == frozenset()
    assert cohort.table("admissions")["year_group"].to_list()[0] == "2011 - 2013"


def test_codes_keep_what_was_coded_in_order(hospital, run) -> None:  # type: ignore[no-untyped-def]
    rows = [
        {"hadm_id": 11, "seq_num": 2, "icd_code": " r65.21 ", "icd_version": 10},
        {"hadm_id": 11, "seq_num": 1, "icd_code": "N179", "icd_version": 10},
        {"hadm_id": 11, "seq_num": "", "icd_code": "I10", "icd_version": 10},
        {"hadm_id": 12, "seq_num": 1, "icd_code": "4280", "icd_version": 9},
        {"hadm_id": 12, "seq_num": 2, "icd_code": "", "icd_version": 9},
        {"hadm_id": 99, "seq_num": 1, "icd_code": "4280", "icd_version": 9},
    ]
    hospital.write("hosp/diagnoses_icd", rows)
    assert run().table("codes").rows() == [
        ("11", "ICD10CM", "N179", 1),
        ("11", "ICD10CM", "R6521", 2),
        ("11", "ICD10CM", "I10", None),
        ("12", "ICD9CM", "4280", 1),
    ]


def test_codes_without_a_rank(hospital, run) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/diagnoses_icd", hospital.diagnoses, columns="subject_id,hadm_id,icd_code,icd_version")
    codes = run().table("codes")
    assert codes["sequence"].null_count() == codes.height == len(hospital.diagnoses)


def test_splits_and_folds_are_by_patient(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    frame = cohort.table("admissions")
    assert frame.group_by("patient_id").agg(pl.col("split").n_unique())["split"].to_list() == [1, 1, 1]
    assert set(frame["split"]) == {"train", "dev", "test"}
    folds = cohort.table("folds")
    assert folds["patient_id"].to_list() == ["1", "2", "3"] and set(folds["fold"]) <= set(range(5))


def test_given_splits_win(hospital, run) -> None:  # type: ignore[no-untyped-def]
    (hospital.root / "splits.csv").write_text("subject_id,split\n1,test_links\n2,train\n3,dev\n")
    cohort = run()
    assert cohort.ids("test_links") == ("11", "12") and cohort.ids("train") == ("21",)
    assert cohort.manifest["tables"]["admissions"]["splits"] == "splits.csv"


def test_labs(hospital, run) -> None:  # type: ignore[no-untyped-def]
    lab = hospital.lab
    hospital.write(
        "hosp/labevents",
        [
            lab(
                1,
                11,
                CREATININE,
                "2152-01-01 12:00:00",
                2.0,
                ref_range_lower=0.4,
                ref_range_upper=1.1,
                valueuom="mg/dL",
            ),
            lab(2, 11, CREATININE, "2152-01-01 08:30:00", 1.5, valueuom="MG/DL"),
            lab(3, 11, CREATININE, "2152-01-02 10:00:00", 176.84, valueuom="umol/L"),
            lab(4, 11, CREATININE, "2152-01-03 10:00:00", 999),
            lab(5, 11, CREATININE, "2152-01-03 11:00:00", 1.0, valueuom="mmHg"),
            lab(6, 11, CREATININE, "", 1.0),
            lab(7, 11, CREATININE, "2152-01-03 12:00:00", "", value="HEMOLYZED"),
            lab(8, 11, CREATININE, "2152-01-03 13:00:00", "", value="1.7"),
            lab(9, 11, TROPONIN, "2152-01-01 12:00:00", "", comments="<0.01.  CTROPNT > 0.10 NG/ML SUGGESTS ACUTE MI."),
            lab(10, 11, 99999, "2152-01-01 12:00:00", 3.0),
            lab(11, 77, CREATININE, "2152-01-01 12:00:00", 3.0),
        ],
    )
    cohort = run()
    assert rounded(cohort, "11") == {
        "LOINC:2160-0": [(-1.5, 1.5), (2.0, 2.0), (24.0, 2.0), (51.0, 1.7)],
        "LOINC:6598-7": [(2.0, 0.01)],
    }
    assert counts(cohort) == {
        "implausible": 1,
        "kept": 5,
        "kept_at_detection_limit": 1,
        "no_number": 1,
        "no_time": 1,
        "outside_admissions": 1,
        "same_time": 0,
        "unknown_unit": 1,
    }
    row = cohort.table("series").filter(pl.col("source_row") == "labevents:1").row(0, named=True)
    assert (row["reference_low"], row["reference_high"], row["unit"]) == (0.4, 1.1, "mg/dL")


def test_labs_without_admission_go_to_the_only_admission_of_that_time(hospital, run) -> None:  # type: ignore[no-untyped-def]
    overlapping = {
        "subject_id": 3,
        "hadm_id": 32,
        "admittime": "2160-06-10 00:00:00",
        "dischtime": "2160-06-15 00:00:00",
    }

    hospital.write("hosp/admissions", [*hospital.admissions, overlapping])
    rows = [
        ("2152-01-01 05:00:00", 1),  # before the emergency department
        ("2152-01-01 06:00:00", 1),  # in it
        ("2152-01-05 09:59:00", 1),
        ("2152-01-05 10:00:00", 1),  # at discharge, no longer in
        ("2160-06-05 00:00:00", 3),
        ("2160-06-10 12:00:00", 3),  # in two admissions
        ("2160-06-12 00:00:00", 3),
    ]
    labs = [
        {**hospital.lab(i, "", CREATININE, time, 1.0), "subject_id": patient} for i, (time, patient) in enumerate(rows)
    ]
    hospital.write("hosp/labevents", labs)
    cohort = run()
    found = cohort.table("series").select("admission_id", "source_row").rows()
    assert found == [("11", "labevents:1"), ("11", "labevents:2"), ("31", "labevents:4"), ("32", "labevents:6")]
    assert counts(cohort)["outside_admissions"] == 3


def test_vitals(hospital, run) -> None:  # type: ignore[no-untyped-def]
    chart, noon = hospital.chart, "2152-01-01 12:00:00"
    hospital.write("hosp/labevents", [hospital.lab(5, 11, CREATININE, noon, 2.0)])
    rows = [
        chart(11, HR, noon, 0, valueuom="bpm"),
        chart(11, HR, "2152-01-01 13:00:00", 88, valueuom="bpm"),
        chart(11, HR, "2152-01-01 13:00:00", 88, valueuom="bpm"),
        chart(11, SBP_CUFF, noon, 120),
        chart(11, SBP_ART, noon, 110, valueuom="mm Hg"),
        chart(11, SBP_CUFF, "2152-01-01 14:00:00", 121),
        chart(11, TEMP_F, noon, 98.6, valueuom="°F"),
        chart(11, TEMP_F, "2152-01-01 13:00:00", 37.2, valueuom="°F"),
        chart(11, TEMP_C, "2152-01-01 14:00:00", 99.5, valueuom="°C"),
        chart(11, TEMP_C, "2152-01-01 15:00:00", 12.0, valueuom="°C"),
        chart(11, WEIGHT_LB, noon, 220.46226),
        chart(11, WEIGHT_LB, "2152-01-01 13:00:00", 100, valueuom="kg"),
        chart(11, FIO2, noon, 0.4),
        chart(11, FIO2, "2152-01-01 13:00:00", 60, valueuom="%"),
        chart(11, CREATININE_CHART, noon, 2.0),
        chart(11, CREATININE_CHART, "2152-01-01 18:00:00", 2.2),
    ]
    hospital.write(
        "icu/chartevents_rebuilt_numeric",
        rows,
        columns="subject_id,hadm_id,stay_id,charttime,itemid,value,valuenum,valueuom,warning",
    )
    cohort = run()
    assert rounded(cohort, "11") == {
        "LOINC:2160-0": [(2.0, 2.0), (8.0, 2.2)],
        "LOINC:29463-7": [(2.0, 100.0), (3.0, 100.0)],
        "LOINC:3150-0": [(2.0, 40.0), (3.0, 60.0)],
        "LOINC:8310-5": [(2.0, 37.0), (3.0, 37.2), (4.0, 37.5)],
        "LOINC:8480-6": [(2.0, 110.0), (4.0, 121.0)],
        "LOINC:8867-4": [(3.0, 88.0)],
    }
    assert counts(cohort)["implausible"] == 2 and counts(cohort)["same_time"] == 3
    assert "labevents:5" in cohort.table("series")["source_row"].to_list()
    assert "chartevents:110:220045" in cohort.table("series")["source_row"].to_list()


def test_venous_oxygen_is_no_arterial_oxygen(hospital, run) -> None:  # type: ignore[no-untyped-def]
    lab = hospital.lab
    rows = []
    for i, kind in enumerate(["ART.", "VEN.", "CENTRAL VENOUS.", "MIX.", None]):
        time, specimen = f"2152-01-01 1{i}:00:00", 500 + i
        rows.append(lab(10 + i, 11, PO2, time, 40 + i, specimen_id=specimen))
        if kind:
            rows.append({**lab(20 + i, 11, SPECIMEN, time, "", specimen_id=specimen), "value": kind})
    hospital.write("hosp/labevents", rows)
    cohort = run()
    assert rounded(cohort, "11") == {"LOINC:11556-8": [(0.0, 40.0), (4.0, 44.0)]}
    assert counts(cohort)["venous"] == 3


NOTE = """Chief Complaint:
fever
History of Present Illness:
Two days of chills.
Medications on Admission:
1. Lisinopril 10 mg PO DAILY
2. Aspirin 81 mg PO DAILY
Brief Hospital Course:
Septic shock.
Discharge Diagnosis:
Septic shock
"""


def test_notes_and_home_drugs(hospital, run) -> None:  # type: ignore[no-untyped-def]
    notes = [
        {"note_id": "1-DS-1", "hadm_id": 11, "note_type": "DS", "note_seq": 9, "text": "Chief Complaint:\nold draft\n"},
        {"note_id": "1-DS-2", "hadm_id": 11, "note_type": "DS", "note_seq": 10, "text": NOTE},
        {"note_id": "1-AD-1", "hadm_id": 11, "note_type": "AD", "note_seq": 11, "text": "Chief Complaint:\naddendum\n"},
        {"note_id": "2-DS-1", "hadm_id": 21, "note_type": "DS", "note_seq": 1, "text": "nothing to cut"},
        {"note_id": "9-DS-1", "hadm_id": 99, "note_type": "DS", "note_seq": 1, "text": NOTE},
    ]
    hospital.write("note/discharge", notes)
    hospital.write(
        "hosp/prescriptions",
        [
            {
                "hadm_id": 11,
                "pharmacy_id": 7,
                "starttime": "2152-01-01 16:00:00",
                "drug_type": "MAIN",
                "drug": "Heparin",
            },
            {
                "hadm_id": 11,
                "pharmacy_id": 6,
                "starttime": "2152-01-01 16:00:00",
                "drug_type": "MAIN",
                "drug": "heparin ",
            },
            {
                "hadm_id": 11,
                "pharmacy_id": 8,
                "starttime": "2152-01-01 16:00:00",
                "drug_type": "BASE",
                "drug": "5% Dextrose",
            },
            {"hadm_id": 11, "pharmacy_id": 9, "starttime": "", "drug_type": "", "drug": "Aspirin"},
            {"hadm_id": 11, "pharmacy_id": 10, "starttime": "2152-01-01 16:00:00", "drug_type": "MAIN", "drug": ""},
        ],
    )
    cohort = run()
    found = cohort.admission("11")
    assert {s.section: s.text for s in found.notes} == {
        "chief_complaint": "fever",
        "history_of_present_illness": "Two days of chills.",
        "medications_on_admission": "1. Lisinopril 10 mg PO DAILY\n2. Aspirin 81 mg PO DAILY",
    }
    assert {s.origin for s in found.notes} == {"note"}
    assert [(m.name, m.hours, m.before_admission, m.source_row) for m in found.medications] == [
        ("Aspirin", None, True, "discharge:1-DS-2"),
        ("Lisinopril", None, True, "discharge:1-DS-2"),
        ("heparin", 6.0, False, "prescriptions:6"),
        ("aspirin", None, False, "prescriptions:9"),
    ]
    assert [s.section for s in cohort.admission("21").notes] == ["admission_summary"]
    info = cohort.manifest["tables"]["notes"]
    assert (info["notes"], info["notes_without_sections"], info["summaries"]) == (2, 1, 3)
    assert "Septic shock" not in "".join(cohort.table("notes")["text"])


def test_paper_policy_keeps_the_course_and_never_the_discharge_diagnosis(hospital, run) -> None:  # type: ignore[no-untyped-def]
    hospital.write("note/discharge", [{"note_id": "1", "hadm_id": 11, "text": NOTE}])
    notes = {s.section: s.text for s in run(note_policy="paper").admission("11").notes}
    assert notes["hospital_course"] == "Septic shock."
    assert "discharge_diagnosis" not in notes


def test_summary_says_what_was_known_early_and_nothing_that_was_coded(hospital, run) -> None:  # type: ignore[no-untyped-def]
    early, late = "2152-01-01 20:00:00", "2152-01-03 20:00:00"
    hospital.write(
        "hosp/services",
        [
            {"hadm_id": 11, "transfertime": early, "curr_service": "CMED"},
            {"hadm_id": 11, "transfertime": late, "curr_service": "SURG"},
        ],
    )
    hospital.write("icu/icustays", [{"hadm_id": 11, "stay_id": 110, "first_careunit": "MICU", "intime": early}])
    items = [
        {"itemid": 1, "label": "Arterial Line", "linksto": "procedureevents"},
        {"itemid": 2, "label": "Family updated", "linksto": "procedureevents"},
        {"itemid": 3, "label": "Dialysis", "linksto": "procedureevents"},
    ]
    hospital.write("icu/d_items", items)
    hospital.write(
        "icu/procedureevents",
        [
            {"hadm_id": 11, "starttime": early, "itemid": 1, "ordercategoryname": "Invasive Lines"},
            {"hadm_id": 11, "starttime": early, "itemid": 2, "ordercategoryname": "Communication"},
            {"hadm_id": 11, "starttime": late, "itemid": 3, "ordercategoryname": "Dialysis"},
        ],
    )
    drugs = [("Furosemide", early), ("Warfarin", late)]
    hospital.write(
        "hosp/prescriptions",
        [
            {"hadm_id": 11, "pharmacy_id": i, "starttime": t, "drug_type": "MAIN", "drug": d}
            for i, (d, t) in enumerate(drugs)
        ],
    )
    known, after = "2152-01-04 00:00:00", "2152-02-01 00:00:00"
    cultures = [
        ("BLOOD CULTURE", early, "ESCHERICHIA COLI", known),
        ("URINE", early, "YEAST", after),
        ("SPUTUM", late, "STAPH AUREUS COAG +", known),
        ("SWAB", "", "CANCELLED", known),
    ]
    hospital.write(
        "hosp/microbiologyevents",
        [
            {
                "hadm_id": 11,
                "chartdate": "2152-01-01 00:00:00",
                "charttime": t,
                "spec_type_desc": s,
                "org_name": o,
                "storetime": done,
            }
            for s, t, o, done in cultures
        ],
    )
    hospital.write("hosp/labevents", [hospital.lab(1, 11, CREATININE, early, 3.3)])
    cohort = run()
    section = cohort.admission("11").notes[0]
    assert (section.section, section.origin) == ("admission_summary", "summary")
    assert section.text == (
        "62-year-old woman. Admission type: emergency, from: emergency room. Service: cardiology. "
        "Intensive care unit: micu. Drugs in the first 24 hours: furosemide. "
        "Procedures in the first 24 hours: arterial line. Specimens taken: swab, blood culture, urine. "
        "Grown in culture: escherichia coli."
    )
    assert cohort.admission("21").notes[0].text == "Man over 89 years."


def test_coded_tables_never_reach_the_text(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    before = run().table("notes")
    for name in ("procedures_icd", "drgcodes", "d_icd_diagnoses"):
        (hospital.root / "hosp" / f"{name}.csv").write_text("subject_id,hadm_id,description\n1,11,SEPTIC SHOCK\n")

    hospital.write("hosp/diagnoses_icd", [*hospital.diagnoses, {"hadm_id": 31, "icd_code": "A419", "icd_version": 10}])
    again = ingest(hospital.root, tmp_path / "again")
    assert again.admission("31").labels == {"CCS:2"}
    assert again.table("notes").equals(before)


def test_odd_rows_survive(hospital, run) -> None:  # type: ignore[no-untyped-def]

    odd = [
        {**hospital.admissions[0], "dischtime": "2151-12-31 00:00:00", "deathtime": "2151-01-01 00:00:00"},
        hospital.admissions[0],
        {"subject_id": 5, "hadm_id": 51, "admittime": "", "dischtime": ""},
        {"subject_id": 6, "hadm_id": "", "admittime": "2152-01-01 00:00:00", "dischtime": ""},
    ]
    hospital.write("hosp/admissions", [*odd, *hospital.admissions[1:]])
    hospital.write("hosp/patients", [*hospital.patients, hospital.patients[0]])
    hospital.write("hosp/labevents", [hospital.lab(1, 51, CREATININE, "2152-01-01 00:00:00", 1.0)])
    cohort = run()
    assert cohort.ids() == ("11", "12", "21", "31", "51")
    stranger = cohort.admission("51")
    assert (stranger.age, stranger.sex, stranger.length_of_stay_hours, stranger.series) == (None, None, None, ())
    assert cohort.admission("11").length_of_stay_hours is None
    assert counts(cohort, "admissions", "admission_rows_dropped") == 2
    assert counts(cohort)["no_time"] == 1
    assert counts(cohort, "admissions", "admissions_without_codes") == 1


def test_same_input_same_bytes_and_no_work_twice(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    labs = [hospital.lab(i, 11, GLUCOSE, f"2152-01-0{1 + i % 4} {i % 24:02d}:00:00", 90 + i) for i in range(200)]
    hospital.write("hosp/labevents", labs)
    cohort = run()
    other = ingest(hospital.root, tmp_path / "other")
    names = sorted(path.name for path in cohort.path.iterdir())
    assert names == sorted(
        [*(f"{name}.parquet" for name in SCHEMAS), "manifest.json", "README.md", "labels.toml", "series.csv"]
    )
    for name in names:
        assert (cohort.path / name).read_bytes() == (other.path / name).read_bytes()
    cohort.write_table("findings", pl.DataFrame({"admission_id": ["11"]}), "f")
    stamps = {path: path.stat().st_mtime_ns for path in cohort.path.iterdir()}
    run()
    assert {path: path.stat().st_mtime_ns for path in cohort.path.iterdir()} == stamps
    run(seed=1)
    assert not (cohort.path / "findings.parquet").exists()
    assert Cohort.open(cohort.path).manifest["seeds"] == {"splits": 1, "folds": 2}


def test_an_interrupted_cohort_is_made_anew(hospital, run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    cohort.table_path("series").unlink()
    assert run().table("series").height == 0
