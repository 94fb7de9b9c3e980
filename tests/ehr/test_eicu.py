"""eICU's layout, on tables made with every oddity that its files are known for."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.ingest import ingest
from ehr.items import load_items
from ehr.layouts.eicu_words import age, code_version, order_name, priority, split_codes, told, treatment
from ehr.series import load_series
from tests.ehr.eicu_files import PATIENTS, EicuBuilder, unit
from tests.ehr.ingested import bare, counts

PAST = "notes/Progress Notes/Past History/Organ Systems"
SYSTEMS = "notes/Progress Notes/Review Of Systems/Systems"


@pytest.fixture
def run(eicu: EicuBuilder, tmp_path: Path) -> Callable[..., Cohort]:
    return partial(ingest, eicu.root, tmp_path / "cohort")


def test_a_hospital_stay_with_its_unit_stays_is_one_admission(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    assert cohort.manifest["source"]["layout"] == "eicu"
    columns = ["admission_id", "patient_id", "age", "sex", "length_of_stay_hours", "year_group"]
    rows = cohort.table("admissions").select(columns).rows()
    assert rows == [
        ("800", "002-100", 52.0, "F", 16000 / 60, "2015"),  # of the first unit stay
        ("801", "002-200", 90.0, "M", 10.0, "2014"),
        ("802", "002-300", None, None, 24.0, "2015"),
        ("803", "002-100", None, None, None, "2015"),
    ]
    table = cohort.manifest["tables"]["admissions"]
    assert (table["unit_stays"], table["admissions_with_several_unit_stays"], table["ages_over_89"]) == (5, 1, 1)
    assert table["diagnoses_without_code"] == 1 and table["admissions_without_codes"] == 1


def test_a_unit_stay_that_stands_twice_or_belongs_to_nobody(eicu, run) -> None:  # type: ignore[no-untyped-def]
    nobody = unit(60, 804, "", 0, 60)
    eicu.write("patient", [*PATIENTS, PATIENTS[0], nobody])
    cohort = run()
    assert cohort.ids() == ("800", "801", "802", "803")
    assert cohort.manifest["tables"]["admissions"]["unit_stays_dropped"] == 2


def test_codes_of_both_versions_in_one_field(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    assert cohort.table("codes").rows() == [
        ("800", "ICD10CM", "A419", 1),
        ("800", "ICD9CM", "0389", 1),
        ("800", "ICD10CM", "N179", 2),
        ("800", "ICD9CM", "5849", 2),
        ("801", "ICD10CM", "I110", 1),
        ("801", "ICD10CM", "I501", 1),
        ("801", "ICD9CM", "40291", 1),
        ("801", "ICD9CM", "4281", 1),
        ("802", "ICD9CM", "99590", 3),
    ]
    assert cohort.admission("800").labels == {"CCS:2", "CCS:157"}
    assert cohort.admission("801").labels >= {"CCS:108"}


def test_labs(eicu, run) -> None:  # type: ignore[no-untyped-def]
    lab = eicu.lab
    eicu.write(
        "lab",
        [
            lab(10, "creatinine", -60, 2.0, "mg/dL", labid=70),
            lab(2, "creatinine", -4380, 2.0, "mg/dL", labid=71),  # the same one, by the second unit's clock
            lab(10, "creatinine", 60, 9.9, "mg/dL", labresultrevisedoffset=70),
            lab(10, "creatinine", 60, 1.9, "mg/dL", labresultrevisedoffset=400, labid=72),
            lab(2, "creatinine", 0, 1.5, "mg/dL"),
            lab(2, "Creatinine", 60, "<0.5", "mg/dL"),
            lab(2, "creatinine", 120, "HOLD"),
            lab(10, "WBC x 1000", 0, 14.3, "K/mcL", labmeasurenameinterface="k/mm cu"),
            lab(10, "troponin - T", 0, "<0.01", "ng/mL"),
            lab(10, "pH", 0, 7.31),
            lab(10, "FiO2", 0, 0.4, "%"),
            lab(10, "CRP", 0, 12.5, "mg/dL"),
            lab(10, "anion gap", 0, -1),
            lab(10, "urinary creatinine", 0, 80, "mg/dL"),
            lab(99, "creatinine", 0, 1.0, "mg/dL"),
        ],
    )
    cohort = run()
    assert bare(cohort, "800") == {
        "11558-4": [(12.0, 7.31)],
        "1863-0": [(12.0, -1.0)],
        "1988-5": [(12.0, 125.0)],
        "2160-0": [(11.0, 2.0), (13.0, 1.9), (84.0, 1.5), (85.0, 0.5)],
        "3150-0": [(12.0, 40.0)],
        "6598-7": [(12.0, 0.01)],
        "6690-2": [(12.0, 14.3)],
    }
    found = counts(cohort)
    assert (found["withdrawn"], found["same_time"], found["no_number"], found["outside_admissions"]) == (1, 1, 1, 1)
    sources = cohort.table("series").filter(pl.col("code") == "LOINC:2160-0")["source_row"].to_list()
    assert sources[:2] == ["lab:70", "lab:72"]


def test_monitors_nurses_and_weights(eicu, run) -> None:  # type: ignore[no-untyped-def]
    monitor = {"patientunitstayid": 40, "observationoffset": 0}
    eicu.write(
        "vitalPeriodic",
        [
            {**monitor, "heartrate": 82, "sao2": 97, "temperature": 37.2, "systemicsystolic": 110},
            {**monitor, "observationoffset": 5, "heartrate": -1, "sao2": 0, "respiration": 17},
            {**monitor, "observationoffset": -30, "heartrate": 90},
        ],
    )
    eicu.write("vitalAperiodic", [{**monitor, "noninvasivesystolic": 120, "noninvasivemean": 80}])
    nurse = eicu.nurse
    eicu.write(
        "nurseCharting",
        [
            nurse(40, 0, "Heart Rate", "Heart Rate", 84),
            nurse(40, 60, "Heart Rate", "Heart Rate", 85),
            nurse(40, 60, "O2 Saturation", "O2 Saturation", "95%"),
            nurse(40, 60, "Temperature", "Temperature (F)", 99.5),
            nurse(40, 120, "Temperature", "Temperature (F)", 37.1),
            nurse(40, 60, "Arterial Line MAP (mmHg)", "Value", 71),
            nurse(40, 60, "Pain Assessment", "Value", "WDL"),
            nurse(40, 180, "Respiratory Rate", "Respiratory Rate", "unable"),
        ],
    )
    vent = {"patientunitstayid": 40, "respchartoffset": 60, "respcharttypecat": "respFlowSettings"}
    eicu.write(
        "respiratoryCharting",
        [
            {**vent, "respchartvaluelabel": "FiO2", "respchartvalue": "60"},
            {**vent, "respchartoffset": 120, "respchartvaluelabel": "FIO2 (%)", "respchartvalue": "50%"},
            {**vent, "respchartvaluelabel": "LPM O2", "respchartvalue": "4"},
        ],
    )
    weight = {"patientunitstayid": 40, "intakeoutputoffset": 60, "celllabel": "Bodyweight (lb)"}
    eicu.write(
        "intakeOutput",
        [
            {**weight, "cellvaluenumeric": 159.8},
            {**weight, "celllabel": "Bodyweight (kg)", "cellvaluenumeric": 72.5},
        ],
    )
    changed = {"admissionweight": 75.0, "dischargeweight": 70.0, "unitdischargeoffset": 1200}
    eicu.write("patient", [row | changed if row["patientunitstayid"] == 40 else row for row in PATIENTS])
    cohort = run()
    assert bare(cohort, "802") == {
        "29463-7": [(1.0, 75.0), (2.0, 72.5), (21.0, 70.0)],
        "3150-0": [(2.0, 60.0), (3.0, 50.0)],
        "59408-5": [(1.0, 97.0), (2.0, 95.0)],
        "8310-5": [(1.0, 37.2), (2.0, 37.5), (3.0, 37.1)],
        "8478-0": [(1.0, 80.0), (2.0, 71.0)],
        "8480-6": [(1.0, 110.0)],  # the arterial line before the cuff
        "8867-4": [(0.5, 90.0), (1.0, 82.0), (2.0, 85.0)],
        "9279-1": [(1.083, 17.0)],
    }
    assert (counts(cohort)["implausible"], counts(cohort)["no_number"]) == (1, 1)
    rows = cohort.table("series").filter(pl.col("code") == "LOINC:8867-4")["source_row"].to_list()
    assert rows == ["vitalperiodic:3", "vitalperiodic:1", "nursecharting:2"]


def test_drugs(eicu, run) -> None:  # type: ignore[no-untyped-def]
    order = {"patientunitstayid": 40, "drugstartoffset": 60, "drugordercancelled": "No", "routeadmin": "NA"}
    eicu.write(
        "medication",
        [
            {**order, "drugname": "WARFARIN SODIUM 5 MG PO TABS"},
            {**order, "drugname": "5 ML VIAL : DILTIAZEM HCL 25 MG/5ML IV SOLN", "drugstartoffset": -188},
            {**order, "drugname": "", "drughiclseqno": 926},
            {**order, "drugname": "heparin", "drugordercancelled": "Yes"},
        ],
    )
    infusion = {"patientunitstayid": 40, "infusionoffset": 120}
    eicu.write("infusiondrug", [{**infusion, "drugname": "Norepinephrine (mcg/min)", "drugrate": 5}])
    taken = {"patientunitstayid": 40, "drugenteredoffset": 30, "drugname": "COREG" + " " * 250}
    eicu.write("admissiondrug", [taken, {**taken, "drugenteredoffset": 900}])
    drugs = run().table("medications").select("name", "hours", "before_admission", "source_row").rows()
    assert drugs == [
        ("coreg", None, True, "admissiondrug:1"),
        ("diltiazem hcl", -128 / 60, False, "medication:2"),
        ("warfarin sodium", 2.0, False, "medication:1"),
        ("norepinephrine", 3.0, False, "infusiondrug:1"),
    ]


def test_the_summary_stands_in_for_a_note(eicu, run) -> None:  # type: ignore[no-untyped-def]
    at = {"patientunitstayid": 40}
    eicu.write(
        "pastHistory",
        [
            {**at, "pasthistoryoffset": 5, "pasthistorypath": f"{PAST}/Pulmonary/COPD/COPD  - moderate"}
            | {"pasthistoryvalue": "COPD  - moderate"},
            {**at, "pasthistoryoffset": 5, "pasthistorypath": f"{PAST}/Cardiovascular (R)/Valve disease/s/p AVR"}
            | {"pasthistoryvalue": "s/p AVR"},
            {**at, "pasthistoryoffset": 5, "pasthistorypath": "notes/Past History Obtain Options/Performed"}
            | {"pasthistoryvalue": "Performed"},
            {**at, "pasthistoryoffset": 2000, "pasthistorypath": f"{PAST}/Neurologic/Dementia/dementia"}
            | {"pasthistoryvalue": "dementia"},
        ],
    )
    eicu.write(
        "note",
        [
            {**at, "noteoffset": 9, "notepath": f"{SYSTEMS}/Pulmonary/Dyspnea on Exertion/dyspnea on exertion"}
            | {"notevalue": "dyspnea on exertion", "notetext": "dyspnea on exertion"},
            {**at, "noteoffset": 9, "notepath": "notes/Progress Notes/Assessment and Plan/Include Rx/Include Rx"}
            | {"notevalue": "Include Rx", "notetext": "Include Rx"},
        ],
    )
    eicu.write("admissiondrug", [{**at, "drugenteredoffset": 30, "drugname": "COREG   "}])
    eicu.write(
        "treatment",
        [
            {**at, "treatmentoffset": 30, "treatmentstring": "cardiovascular|hypertension|beta blocker|metoprolol"},
            {**at, "treatmentoffset": 4000, "treatmentstring": "renal|dialysis|hemodialysis"},
        ],
    )
    culture = {**at, "culturetakenoffset": -10, "culturesite": "Sputum, Expectorated"}
    eicu.write("microLab", [{**culture, "organism": "Staphylococcus aureus"}])
    result = {**at, "physicianspeciality": "internal medicine", "actualhospitalmortality": "EXPIRED"}
    eicu.write("apachePatientResult", [{**result, "apachescore": -1}, {**result, "apacheversion": "IVa"}])
    notes = run().table("notes").filter(pl.col("admission_id") == "802").rows()
    assert notes == [
        (
            "802",
            "admission_summary",
            "Admitted from: emergency department. Service: internal medicine. Intensive care unit: med-surg icu. "
            "Review of systems: dyspnea on exertion. Past medical history: copd - moderate, valve disease s/p avr. "
            "Taken before admission: coreg. Procedures in the first 24 hours: beta blocker metoprolol. "
            "Specimens taken: sputum, expectorated.",
            "summary",
        )
    ]


def test_summary_of_a_patient_who_came_to_the_unit_late(eicu, run) -> None:  # type: ignore[no-untyped-def]
    eicu.write("patient", [*PATIENTS, unit(70, 805, "002-400", -17600, 9769)])
    drug = {"patientunitstayid": 70, "drugordercancelled": "No"}
    eicu.write(
        "medication",
        [
            {**drug, "drugname": "aspirin", "drugstartoffset": 600},
            {**drug, "drugname": "heparin", "drugstartoffset": 1500},
        ],
    )
    text = run().table("notes").filter(pl.col("admission_id") == "805")["text"].item()
    assert text == "52-year-old woman. Intensive care unit: med-surg icu. Drugs in the first 24 hours: aspirin."


def test_nothing_of_diagnoses_reaches_the_text(run) -> None:  # type: ignore[no-untyped-def]
    text = " ".join(run().table("notes")["text"]).lower()
    assert "sepsis" not in text and "shock" not in text


@pytest.mark.parametrize("how", [{"suffix": ".csv"}, {"suffix": ".CSV.GZ"}])
def test_the_spelling_of_files_does_not_matter(eicu, run, tmp_path: Path, how) -> None:  # type: ignore[no-untyped-def]
    other = EicuBuilder(tmp_path / "other")
    other.base(**how)
    other.write(
        "vitalPeriodic", [{"patientunitstayid": 40, "observationoffset": 0, "heartrate": 80}], stem="VITALPERIODIC"
    )
    eicu.write("vitalPeriodic", [{"patientunitstayid": 40, "observationoffset": 0, "heartrate": 80}])
    first, second = run(), ingest(other.root, tmp_path / "second")
    for name in ("admissions", "codes", "series", "notes"):
        assert first.table(name).equals(second.table(name)), name
    assert first.table("series").height == 1


def test_missing_file_is_named(eicu, run) -> None:  # type: ignore[no-untyped-def]
    (eicu.root / "lab.csv.gz").unlink()
    assert run().manifest["source"]["absent"][0] == "lab"
    (eicu.root / "diagnosis.csv.gz").unlink()
    with pytest.raises(InputError, match=r"no eICU directory: diagnosis\.csv or diagnosis\.csv\.gz is missing"):
        run()


def test_fewer_than_two_patients(eicu, run) -> None:  # type: ignore[no-untyped-def]
    eicu.write("patient", PATIENTS[:2])
    with pytest.raises(InputError, match=r"patient\.csv\.gz: 1 patients with admissions"):
        run()


def test_equal_input_gives_equal_content(eicu, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows = [{"patientunitstayid": 10, "observationoffset": i * 5, "heartrate": 60 + i % 40} for i in range(3000)]
    eicu.write("vitalPeriodic", rows)
    eicu.write("lab", [eicu.lab(10, "creatinine", 60 * (i % 50), 1 + i % 7, "mg/dL") for i in range(500)])
    first, second = run(), ingest(eicu.root, tmp_path / "again")
    assert first.table_path("series").read_bytes() == second.table_path("series").read_bytes()


def test_command_line(eicu, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    eicu.write("lab", [eicu.lab(10, "creatinine", -60, 2.0, "mg/dL")])
    command = [sys.executable, "-c", "import cli; cli.main()", "ehr", "ingest"]
    command += [str(eicu.root), "--out", str(tmp_path / "cohort")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    assert "vitalperiodic is not there and left out" in done.stderr
    cohort = Cohort.open(tmp_path / "cohort")
    assert cohort.ids() == ("800", "801", "802", "803") and cohort.table("series").height == 1


def test_every_item_has_a_series_and_lower_case() -> None:
    items = load_items("eicu")
    assert all(item.itemid == item.itemid.lower() for item in items)
    missing = {s.short for s in load_series()} - {s.short for s in load_series() if s.code in {i.code for i in items}}
    assert missing == {"NT-proBNP", "HbA1c"}  # eICU's lab has BNP, another substance, and no HbA1c


def test_words() -> None:
    assert [priority(text) for text in ("Primary", " major ", "Other", "", None)] == [1, 2, 3, None, None]
    assert order_name("1 ML  -  DIPHENHYDRAMINE HCL 50 MG/ML IJ SOLN") == "diphenhydramine hcl"
    assert order_name("fentaNYL (PF) 50 MCG/1 ML 2 ML INJ") == "fentanyl"
    assert order_name("Volume (mL) Magnesium  (ml/hr)") == "magnesium"
    assert told(f"{PAST}/Past History Obtain Options/No Health Problems", "No Health Problems") is None
    assert treatment("cardiovascular|hypertension") is None
    assert split_codes(" 038.9 ; A41.9,, ") == [("038.9", "9"), ("A41.9", "10")]
    assert age("> 89") == 90.0 and age("89") == 89.0 and age("1000") is None


@given(st.text(max_size=30))
def test_any_text_is_survived(text: str) -> None:
    assert all(version in {"9", "10"} and code for code, version in split_codes(text))
    assert code_version(text) in {"9", "10"}
    years = age(text)
    assert years is None or 0 <= years <= 90
    order_name(text)
    treatment(text)
    told(f"a/b/{text}", text)
