"""Which layout a directory has, and that one patient gives one cohort whatever the layout."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.ingest import ingest, open_hospital
from ehr.layouts.known import LAYOUTS
from ehr.schemas import SCHEMAS
from ehr.simulator.hospital import simulate
from ehr.trace import trace
from tests.ehr.eicu_files import EicuBuilder, unit
from tests.ehr.mimic3_files import COLUMNS, Mimic3Builder

ROOT = Path(__file__).parents[2]


def test_auto_recognises_each(hospital, mimic3, eicu) -> None:  # type: ignore[no-untyped-def]
    found = [open_hospital(builder.root, "auto").name for builder in (hospital, mimic3, eicu)]
    assert found == ["mimic-iv", "mimic-iii", "eicu"]
    assert {"mimic-iv", "mimic-iii", "eicu"} <= {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ("hospital", "mimic3", "mimic-iv and mimic-iii"),
        ("hospital", "eicu", "mimic-iv and eicu"),
        ("mimic3", "eicu", "mimic-iii and eicu"),
    ],
)
def test_two_layouts_in_one_directory_stop(request, tmp_path: Path, first: str, second: str, named: str) -> None:  # type: ignore[no-untyped-def]
    directory = tmp_path / "both"
    for name in (first, second):
        builder = request.getfixturevalue(name)
        for path in builder.root.rglob("*.csv.gz"):
            target = directory / path.relative_to(builder.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=f"it looks like {named}; say which with --layout"):
        ingest(directory, tmp_path / "cohort")
    assert not (tmp_path / "cohort").exists()


def test_a_named_layout_wins_over_what_else_lies_there(mimic3, eicu, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for path in eicu.root.iterdir():
        (mimic3.root / path.name).write_bytes(path.read_bytes())
    cohort = ingest(mimic3.root, tmp_path / "cohort", layout="eicu")
    assert cohort.ids() == ("800", "801", "802", "803")


def test_an_unknown_directory_is_told_what_it_holds(tmp_path: Path) -> None:
    place = tmp_path / "somewhere"
    place.mkdir()
    with pytest.raises(InputError, match=r"no layout that is known \(mimic-iv, mimic-iii, eicu.*\); it is empty"):
        ingest(place, tmp_path / "cohort")
    for name in ("a.csv", "mimic-iii", "eicu"):
        (place / name).mkdir()
    with pytest.raises(InputError, match=r"it holds a\.csv/, eicu/, mimic-iii/"):
        ingest(place, tmp_path / "cohort")
    for number in range(20):
        (place / f"b{number:02d}.txt").touch()
    with pytest.raises(InputError, match="and 15 more"):
        ingest(place, tmp_path / "cohort")


def test_refusal_on_the_command_line(mimic3, eicu, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for path in eicu.root.iterdir():
        (mimic3.root / path.name).write_bytes(path.read_bytes())
    command = [sys.executable, "-c", "import cli; cli.main()", "ehr", "ingest", str(mimic3.root)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "c")], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "it looks like mimic-iii and eicu; say which with --layout" in done.stderr


def test_the_simulator_is_read_as_mimic_iv(tmp_path: Path) -> None:
    simulate(tmp_path / "simulated", admissions=30, seed=3)
    cohort = ingest(tmp_path / "simulated", tmp_path / "cohort")
    assert cohort.manifest["source"]["layout"] == "mimic-iv" and cohort.manifest["simulated"]
    assert len(cohort.ids()) == 30 and cohort.table("series").height > 1000


# One hospital, told once: what follows is written in both layouts of the same hospital.
STAYS = [
    (1, 11, "F", 61, "2152-03-01 10:00:00", "2152-03-05 10:00:00"),
    (2, 21, "M", 45, "2141-06-01 00:00:00", "2141-06-04 12:00:00"),
    (2, 22, "M", 46, "2142-06-01 00:00:00", "2142-06-02 00:00:00"),
]
CODES = [(11, "0389"), (11, "5849"), (11, "V5861"), (21, "4280"), (21, "42731"), (22, "486")]
# admission, item of the laboratory, hours after midnight of the first day, value, unit
LABS = [
    (11, 50912, "2152-03-01 12:00:00", "2.0", "mg/dL"),
    (11, 50912, "2152-03-02 12:00:00", "176.8", "umol/L"),
    (11, 51003, "2152-03-01 12:00:00", "<0.01", "ng/mL"),
    (21, 50971, "2141-06-01 06:00:00", "4.1", "mEq/L"),
    (22, 50931, "2142-06-01 06:00:00", "99999", "mg/dL"),
    (None, 50931, "2142-06-01 07:00:00", "123", "mg/dL"),
]
# the same vital as an item of CareVue, of MetaVision, when, value, unit
VITALS = [
    (11, 211, 220045, "2152-03-01 12:00:00", "88", "bpm"),
    (11, 455, 220179, "2152-03-01 12:00:00", "120", "mmHg"),
    (11, 51, 220050, "2152-03-01 12:00:00", "111", "mmHg"),
    (11, 678, 223761, "2152-03-01 12:00:00", "98.6", "°F"),
    (21, 190, 223835, "2141-06-01 12:00:00", "0.4", ""),
    (21, 763, 224639, "2141-06-01 12:00:00", "80", "kg"),
    (22, 618, 220210, "2142-06-01 12:00:00", "18", "insp/min"),
    (22, 646, 220277, "2142-06-01 12:00:00", "0", "%"),
]
NOTES = [
    (11, "History of Present Illness:\nFever since Monday.\n\nDischarge Diagnosis:\nSepsis.\n"),
    (21, "Chief Complaint:\nDyspnea\n\nMedications on Admission:\n1. Furosemide 40 mg\n"),
]
DRUGS = [(11, "2152-03-02 00:00:00", "Vancomycin"), (21, "2141-06-01 00:00:00", "Furosemide")]
PERSON = {admission: person for person, admission, *_ in STAYS}


def _write_mimic4(hospital) -> None:  # type: ignore[no-untyped-def]
    people = {row[0]: row for row in reversed(STAYS)}
    hospital.write(
        "hosp/patients",
        [
            {"subject_id": p, "gender": row[2], "anchor_age": row[3], "anchor_year": row[4][:4]}
            for p, row in sorted(people.items())
        ],
    )
    admissions = [{"subject_id": p, "hadm_id": a, "admittime": s, "dischtime": e} for p, a, _, _, s, e in STAYS]
    hospital.write("hosp/admissions", admissions)
    hospital.write(
        "hosp/diagnoses_icd",
        [{"hadm_id": a, "seq_num": n, "icd_code": c, "icd_version": 9} for n, (a, c) in enumerate(CODES)],
    )
    events = [
        {"hadm_id": a, "itemid": i, "charttime": t, "value": v, "valueuom": u, "subject_id": PERSON.get(a, 2)}
        | {"valuenum": v if v[0] != "<" else ""}
        for a, i, t, v, u in LABS
    ]
    hospital.write("hosp/labevents", [{"labevent_id": n, **row} for n, row in enumerate(events)])
    charted = [
        {"hadm_id": a, "stay_id": 1, "itemid": i, "charttime": t, "value": v, "valuenum": v, "valueuom": u}
        for a, _, i, t, v, u in VITALS
    ]
    hospital.write("icu/chartevents", charted)
    hospital.write("note/discharge", [{"note_id": a, "hadm_id": a, "note_type": "DS", "text": t} for a, t in NOTES])
    hospital.write(
        "hosp/prescriptions",
        [{"hadm_id": a, "pharmacy_id": 1, "starttime": t, "drug": d, "drug_type": "MAIN"} for a, t, d in DRUGS],
    )


def _write_mimic3(mimic3: Mimic3Builder, system: str) -> None:
    people = {row[0]: row for row in reversed(STAYS)}
    mimic3.write(
        "PATIENTS",
        [
            {"SUBJECT_ID": p, "GENDER": row[2], "DOB": f"{int(row[4][:4]) - row[3]}-01-01 00:00:00"}
            for p, row in sorted(people.items())
        ],
    )
    admissions = [{"SUBJECT_ID": p, "HADM_ID": a, "ADMITTIME": s, "DISCHTIME": e} for p, a, _, _, s, e in STAYS]
    mimic3.write("ADMISSIONS", admissions)
    mimic3.write("DIAGNOSES_ICD", [{"HADM_ID": a, "SEQ_NUM": n, "ICD9_CODE": c} for n, (a, c) in enumerate(CODES)])
    mimic3.write(
        "LABEVENTS",
        [
            {"SUBJECT_ID": PERSON.get(a, 2), "HADM_ID": a, "ITEMID": i, "CHARTTIME": t, "VALUE": v, "VALUEUOM": u}
            | {"VALUENUM": v if v[0] != "<" else ""}
            for a, i, t, v, u in LABS
        ],
    )
    mimic3.write(
        "CHARTEVENTS",
        [
            {"SUBJECT_ID": PERSON[a], "HADM_ID": a, "ITEMID": cv if system == "carevue" else mv, "CHARTTIME": t}
            | {"VALUE": v, "VALUENUM": v, "VALUEUOM": u}
            for a, cv, mv, t, v, u in VITALS
        ],
    )
    mimic3.write(
        "NOTEEVENTS",
        [
            {
                "HADM_ID": a,
                "CHARTDATE": "2152-03-05",
                "CATEGORY": "Discharge summary",
                "DESCRIPTION": "Report",
                "TEXT": t,
            }
            for a, t in NOTES
        ],
    )
    mimic3.write("PRESCRIPTIONS", [{"HADM_ID": a, "STARTDATE": t, "DRUG": d, "DRUG_TYPE": "MAIN"} for a, t, d in DRUGS])


def _content(cohort: Cohort) -> dict[str, pl.DataFrame]:
    return {name: cohort.table(name).drop("source_row", strict=False) for name in (*_TABLES, "series")}


_TABLES = ("admissions", "codes", "folds", "notes", "medications")


@pytest.mark.parametrize("system", ["carevue", "metavision"])
def test_the_same_patients_in_two_layouts_give_the_same_cohort(hospital, tmp_path: Path, system: str) -> None:  # type: ignore[no-untyped-def]
    _write_mimic4(hospital)
    mimic3 = Mimic3Builder(tmp_path / "mimic3")
    _write_mimic3(mimic3, system)
    fourth = _content(ingest(hospital.root, tmp_path / "fourth"))
    third = _content(ingest(mimic3.root, tmp_path / "third"))
    assert fourth["series"].height == 11
    for name, frame in fourth.items():
        assert frame.equals(third[name]), name
    assert set(fourth["admissions"]["labels"].to_list()[0]) == {"CCS:2", "CCS:157"}


def _as_mimic3(fourth: Path, third: Path) -> None:
    """Write the simulator's MIMIC-IV tables with MIMIC-III's columns; only codes of ICD-9 have a place there."""

    def read(name: str) -> pl.DataFrame:
        return pl.read_csv(fourth / f"{name}.csv.gz", infer_schema_length=0)

    def write(name: str, frame: pl.DataFrame) -> None:
        numbered = frame.with_row_index("ROW_ID", offset=1) if "ROW_ID" not in frame.columns else frame
        names = [c for c in COLUMNS[name].split(",") if c in numbered.columns]
        third.mkdir(parents=True, exist_ok=True)
        numbered.select(names).write_csv(third / f"{name}.csv")

    def upper(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.rename({c: c.upper() for c in frame.columns})

    born = (pl.col("anchor_year").cast(int) - pl.col("anchor_age").cast(int)).cast(str) + "-01-01 00:00:00"
    write("PATIENTS", upper(read("hosp/patients").with_columns(born.alias("dob"))))
    write("ADMISSIONS", upper(read("hosp/admissions")))
    codes = read("hosp/diagnoses_icd").filter(pl.col("icd_version") == "9")
    write("DIAGNOSES_ICD", upper(codes.rename({"icd_code": "icd9_code"})))
    codes.write_csv(fourth / "hosp" / "diagnoses_icd.csv")  # taken before the packed one
    labs = read("hosp/labevents").with_columns(pl.col("itemid").replace("52033", "50800"))
    limit = pl.when(pl.col("valuenum").is_null() & (pl.col("value") == "___")).then(pl.col("comments"))
    write("LABEVENTS", upper(labs.with_columns(limit.otherwise(pl.col("value")).alias("value"))))
    write("CHARTEVENTS", upper(read("icu/chartevents")))
    notes = read("note/discharge").with_columns(pl.lit("Discharge summary").alias("category"))
    write("NOTEEVENTS", upper(notes.rename({"charttime": "chartdate"})))
    write("PRESCRIPTIONS", upper(read("hosp/prescriptions").rename({"starttime": "startdate"})))
    (third / "splits.csv").write_bytes((fourth / "splits.csv").read_bytes())


def test_a_simulated_hospital_gives_the_same_labels_and_series_in_both_layouts(tmp_path: Path) -> None:
    simulate(tmp_path / "fourth", admissions=150, seed=11)
    _as_mimic3(tmp_path / "fourth", tmp_path / "third")
    fourth = _content(ingest(tmp_path / "fourth", tmp_path / "c4"))
    third = _content(ingest(tmp_path / "third", tmp_path / "c3"))
    # What MIMIC-III does not have: reference ranges, year groups, an age over 89, and 91 for it.
    for content in (fourth, third):
        content["series"] = content["series"].drop("reference_low", "reference_high")
        young = pl.when(pl.col("age") <= 89).then(pl.col("age"))
        content["admissions"] = content["admissions"].drop("year_group").with_columns(young.alias("age"))
    assert fourth["series"].height > 20_000
    for name, frame in fourth.items():
        assert frame.equals(third[name]), name


def _filled(builder: Mimic3Builder | EicuBuilder) -> None:
    """Give the hospital labs, vitals and drugs of each kind."""
    if isinstance(builder, EicuBuilder):
        builder.write("lab", [builder.lab(10, "creatinine", 60, 2.0, "mg/dL", labid=7)])
        vitals = {"patientunitstayid": 10, "observationoffset": 5, "heartrate": 80, "sao2": 97}
        builder.write("vitalPeriodic", [{"vitalperiodicid": 5, **vitals}])
        builder.write("nurseCharting", [builder.nurse(10, 60, "Heart Rate", "Heart Rate", 81)])
        order = {"patientunitstayid": 10, "drugstartoffset": 5, "drugname": "aspirin", "drugordercancelled": "No"}
        builder.write("medication", [order])
    else:
        builder.write("LABEVENTS", [builder.lab(11, 50912, "2152-01-01 12:00:00", 2.0, "mg/dL", ROW_ID=7)])
        charted = [builder.chart(11, 211, f"2152-01-01 1{i}:00:00", 80 + i, "BPM", ROW_ID=50 + i) for i in range(2)]
        builder.write("CHARTEVENTS", charted)
        order = {"HADM_ID": 11, "STARTDATE": "2152-01-01 00:00:00", "DRUG": "Aspirin", "DRUG_TYPE": "MAIN"}
        builder.write("PRESCRIPTIONS", [order])


def test_every_kept_value_is_traced_to_its_row(mimic3, eicu, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _filled(mimic3)
    _filled(eicu)
    third, crd = ingest(mimic3.root, tmp_path / "third"), ingest(eicu.root, tmp_path / "crd")
    rows = trace(third, "11", "HR")
    assert [(row["file"], row["source_row"]) for row in rows] == [
        ("CHARTEVENTS.csv.gz", "chartevents:50:211"),
        ("CHARTEVENTS.csv.gz", "chartevents:51:211"),
    ]
    assert [row["record"]["value"] for row in rows] == ["80", "81"]  # type: ignore[index]
    assert trace(third, "11", "creatinine")[0]["record"]["row_id"] == "7"  # type: ignore[index]
    rows = trace(crd, "800", "HR")
    assert [row["source_row"] for row in rows] == ["vitalperiodic:5", "nursecharting:1"]
    assert rows[0]["record"]["heartrate"] == "80"  # type: ignore[index]
    assert rows[1]["record"]["nursingchartvalue"] == "81"  # type: ignore[index]
    assert trace(crd, "800", "creatinine")[0]["record"]["labname"] == "creatinine"  # type: ignore[index]


@pytest.mark.parametrize("death", ["ehr.events.drop_venous", "ehr.filling.write_admissions", "ehr.filling._summaries"])
@pytest.mark.parametrize("name", ["mimic3", "eicu"])
def test_killed_and_run_again(request, tmp_path: Path, name: str, death: str) -> None:  # type: ignore[no-untyped-def]
    builder = request.getfixturevalue(name)
    _filled(builder)
    whole = ingest(builder.root, tmp_path / "whole")
    module, _, function = death.rpartition(".")
    code = (
        "import importlib, os, sys; from pathlib import Path; import ehr.ingest as i\n"
        f"setattr(importlib.import_module({module!r}), {function!r}, lambda *a, **k: os.kill(os.getpid(), 9))\n"
        "i.ingest(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(builder.root), str(tmp_path / "cohort")]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr[-2000:]
    again = ingest(builder.root, tmp_path / "cohort")
    for table in SCHEMAS:
        assert again.table_path(table).read_bytes() == whole.table_path(table).read_bytes(), table


@pytest.mark.parametrize("name", ["mimic3", "eicu"])
def test_cut_off_by_hour(request, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    builder = request.getfixturevalue(name)
    if name == "mimic3":
        labs = [builder.lab(11, 50912, f"2152-01-0{day} 09:00:00", day) for day in (2, 3)]
        builder.write("LABEVENTS", labs)
    else:
        builder.write("lab", [builder.lab(10, "creatinine", 60 * hour, hour) for hour in (11, 13)])
    cohort = ingest(builder.root, tmp_path / "cohort", until="24h")
    assert cohort.table("series")["hours"].to_list() == [23.0]
    assert cohort.manifest["tables"]["series"]["values"]["after_cut_off"] == 1  # type: ignore[index,call-overload]


_LAB_NAMES = {50912: "creatinine", 51003: "troponin - T", 50971: "potassium", 50931: "glucose"}
_CHARTED = {
    211: ("Heart Rate", "Heart Rate"),
    455: ("Non-Invasive BP", "Non-Invasive BP Systolic"),
    51: ("Invasive BP", "Invasive BP Systolic"),
    678: ("Temperature", "Temperature (F)"),
    763: ("WEIGHT in Kg", "Value"),
    618: ("Respiratory Rate", "Respiratory Rate"),
    646: ("O2 Saturation", "O2 Saturation"),
}


@pytest.mark.parametrize("late", [0, 90, 5000])
def test_the_same_patients_as_eicu_whatever_the_units_clock(hospital, tmp_path: Path, late: int) -> None:  # type: ignore[no-untyped-def]
    _write_mimic4(hospital)
    fourth = ingest(hospital.root, tmp_path / "fourth")
    eicu = EicuBuilder(tmp_path / "crd")
    start = {admission: datetime.fromisoformat(begin) for _, admission, _, _, begin, _ in STAYS}

    def minutes(admission: int, time: str) -> int:
        return int((datetime.fromisoformat(time) - start[admission]).total_seconds()) // 60 - late

    stays = [unit(a, a, str(p), -late, minutes(a, end), age=str(age)) for p, a, _, age, _, end in STAYS]
    sexes = {"F": "Female", "M": "Male"}
    eicu.write("patient", [row | {"gender": sexes[s[2]]} for row, s in zip(stays, STAYS, strict=True)])
    eicu.write("diagnosis", [{"patientunitstayid": a, "icd9code": c} for a, c in CODES])
    labs = [(a, _LAB_NAMES[i], t, v, u) for a, i, t, v, u in [*LABS[:-1], (22, *LABS[-1][1:])]]
    rows = [eicu.lab(a, name, minutes(a, t), v, u) for a, name, t, v, u in labs]
    numbers = [{"labresult": v if v[0] != "<" else ""} for *_, v, _ in labs]
    eicu.write("lab", [row | number for row, number in zip(rows, numbers, strict=True)])
    charted = [(a, *_CHARTED[i], t, v) for a, i, _, t, v, _ in VITALS if i in _CHARTED]
    eicu.write("nurseCharting", [eicu.nurse(a, minutes(a, t), one, two, v) for a, one, two, t, v in charted])
    oxygen = [(a, t, v) for a, i, _, t, v, _ in VITALS if i == 190]
    eicu.write(
        "respiratoryCharting",
        [
            {"patientunitstayid": a, "respchartoffset": minutes(a, t), "respchartvaluelabel": "FiO2"}
            | {"respchartvalue": v}
            for a, t, v in oxygen
        ],
    )
    crd = ingest(eicu.root, tmp_path / "cohort")
    for name in ("admissions", "series"):
        frames = [c.table(name).drop("source_row", "year_group", "split", strict=False) for c in (fourth, crd)]
        assert frames[0].equals(frames[1]), name
    assert crd.table("series").height == 11
