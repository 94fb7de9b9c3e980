"""What real MIMIC-IV directories hold beside what their documentation says, each on tables made for it."""

import gzip
import shutil
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.ingest import ingest

CREATININE, GLUCOSE, TEMP_C, HR, PTT, TSH = 50912, 50931, 223762, 220045, 51275, 50993
NOON = "2152-01-01 12:00:00"


def entry(cohort: Cohort, table: str) -> dict:  # type: ignore[type-arg]
    return cohort.manifest["tables"][table]  # type: ignore[index,call-overload,return-value]


def kept(cohort: Cohort) -> list[tuple[float, float]]:
    return cohort.table("series").select("hours", "value").rows()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("___", None),
        ("NEG", None),
        ("HOLD", None),
        ("0-2", None),
        ("7,4", None),
        ("nan", None),
        ("inf", None),
        (">10", 10.0),
        ("<0.5", 0.5),
        ("LESS THAN 0.5", 0.5),
        ("GREATER THAN 10", 10.0),
        (" 1.7 ", 1.7),
    ],
)
def test_texts_for_numbers(hospital, run, text: str, value: float | None) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/labevents", [hospital.lab(1, 11, CREATININE, NOON, "", value=text)])
    cohort = run()
    assert kept(cohort) == ([] if value is None else [(2.0, value)])
    values = entry(cohort, "series")["values"]
    assert values["kept"] + values.get("no_number", 0) + values.get("implausible", 0) == 1


def test_thousands(hospital, run) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/labevents", [hospital.lab(1, 11, GLUCOSE, NOON, "", value="1,200", valueuom="mg/dL")])
    assert kept(run()) == [(2.0, 1200.0)]


def test_zero_heart_rate_and_fahrenheit_filed_as_celsius(hospital, run) -> None:  # type: ignore[no-untyped-def]
    rows = [
        hospital.chart(11, HR, NOON, 0),
        hospital.chart(11, TEMP_C, NOON, 99.5, valueuom="°C"),
        hospital.chart(11, TEMP_C, "2152-01-01 13:00:00", 310.15, valueuom="K"),
    ]
    hospital.write("icu/chartevents", rows)
    cohort = run()
    assert kept(cohort) == [(2.0, 37.5), (3.0, 37.0)]
    assert entry(cohort, "series")["values"]["implausible"] == 1


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("MG/DL", 2.0, 2.0),
        ("mg / dL", 2.0, 2.0),
        ("umol/L", 176.84, 2.0),
        ("µmol/l", 176.84, 2.0),
        ("mg/L", 20.0, 2.0),
        ("g/L", 0.02, 2.0),
        ("", 2.0, 2.0),
        ("mmHg", 2.0, None),
    ],
)
def test_spellings_of_units(hospital, run, unit: str, value: float, expected: float | None) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/labevents", [hospital.lab(1, 11, CREATININE, NOON, value, valueuom=unit)])
    cohort = run()
    assert kept(cohort) == ([] if expected is None else [(2.0, pytest.approx(expected, abs=1e-4))])
    assert entry(cohort, "series")["values"].get("unknown_unit", 0) == (expected is None)


def test_two_values_at_one_time(hospital, run) -> None:  # type: ignore[no-untyped-def]
    labs = [hospital.lab(2, 11, CREATININE, NOON, 3.0), hospital.lab(1, 11, CREATININE, NOON, 2.0)]
    hospital.write("hosp/labevents", labs)
    cohort = run()
    assert kept(cohort) == [(2.0, 2.0)] and entry(cohort, "series")["values"]["same_time"] == 1


def test_labs_before_after_and_without_an_admission(hospital, run) -> None:  # type: ignore[no-untyped-def]
    lab = hospital.lab
    labs = [
        lab(1, 11, CREATININE, "2151-12-31 10:00:00", 1.0),
        lab(2, 11, CREATININE, "2152-01-06 10:00:00", 2.0),  # a day after discharge
        lab(3, "", CREATININE, "2151-06-01 10:00:00", 3.0),
        lab(4, 999, CREATININE, NOON, 4.0),
    ]
    hospital.write("hosp/labevents", labs)
    cohort = run()
    assert kept(cohort) == [(-24.0, 1.0)]
    values = entry(cohort, "series")["values"]
    assert (values["after_cut_off"], values["outside_admissions"]) == (1, 2)


def test_odd_admissions_and_patients_are_counted_and_kept(hospital, run) -> None:  # type: ignore[no-untyped-def]
    start, end = "2152-01-01 10:00:00", "2152-01-05 10:00:00"
    admissions = [
        *hospital.admissions,
        hospital.admissions[0],
        {"subject_id": 3, "hadm_id": 41, "admittime": end, "dischtime": start, "deathtime": end},
        {"subject_id": 3, "hadm_id": "", "admittime": start, "dischtime": end},
        {"subject_id": 3, "hadm_id": 42, "admittime": "", "dischtime": end},
    ]
    hospital.write("hosp/admissions", admissions)
    patients = [*hospital.patients[:2], {**hospital.patients[2], "anchor_age": 300}, hospital.patients[1]]
    hospital.write("hosp/patients", patients)
    hospital.write("hosp/labevents", [{**hospital.lab(1, 41, CREATININE, "2152-01-06 10:00:00", 2.0), "subject_id": 3}])
    cohort = run()
    assert cohort.ids() == ("11", "12", "21", "31", "41", "42")
    assert cohort.admission("41").length_of_stay_hours is None
    assert cohort.admission("31").age is None and cohort.admission("11").age == 62.0
    found = entry(cohort, "admissions")
    assert {key: found[key] for key in found if "_" in key and isinstance(found[key], int)} == {
        "admission_rows_dropped": 2,
        "admissions_without_codes": 2,
        "admissions_without_id": 1,
        "admissions_without_time": 1,
        "ages_unknown_or_impossible": 3,
        "deaths_after_discharge": 1,
        "duplicate_admissions": 1,
        "duplicate_patients": 1,
        "ends_before_it_starts": 1,
    }
    assert kept(cohort) == [(24.0, 2.0)]  # an end that is no end cuts nothing off


def test_odd_codes(hospital, run) -> None:  # type: ignore[no-untyped-def]
    codes = [(" n17.9 ", 10), ("38.9", 9), ("038.9, A41.9", 9), ("zzz.9", 10), ("zzz.9", 10), ("4280  ", 9)]
    rows = [{"hadm_id": 11, "seq_num": i, "icd_code": c, "icd_version": v} for i, (c, v) in enumerate(codes)]
    hospital.write("hosp/diagnoses_icd", [*rows, {"hadm_id": 12, "icd_code": "ZZZ9", "icd_version": 10}])
    cohort = run()
    assert cohort.admission("11").labels == {"CCS:157", "CCS:2", "CCS:108"}
    assert cohort.table("codes")["code"].to_list()[:5] == ["N179", "0389", "A419", "0389", "ZZZ9"]
    unmapped = cohort.table("unmapped_codes")
    assert unmapped.select("system", "code", "rows", "admissions").rows() == [("ICD10CM", "ZZZ9", 3, 2)]
    diagnoses = entry(cohort, "admissions")["diagnoses"]
    assert diagnoses["mended"] == {"two_in_one_field": 1, "zeros": 1, "other_version": 1}
    assert diagnoses["rows_unknown"] == 3


def test_broken_records_are_reported_by_file_and_kind(hospital, run, capsys) -> None:  # type: ignore[no-untyped-def]
    path = hospital.root / "hosp" / "LABEVENTS.CSV"  # upper-case name, beside the packed file
    header = "LABEVENT_ID,subject_id,hadm_id,itemid,charttime,valuenum,valueuom,comments"
    rows = [
        f"1,1,11,{CREATININE},{NOON},1.5,mg/dL,",
        f"2,1,11,{CREATININE},2152-01-01 13:00:00,1.6,mg/dL",
        f'3,1,11,{CREATININE},2152-01-01 14:00:00,1.7,mg/dL,"a comment of\r\ntwo lines, Mr X"',
        f'4,1,11,{CREATININE},2152-01-01 15:00:00,1.8,mg/dL,"not closed',
        f"5,1,11,{CREATININE},2152-01-01 16:00:00,1.9,mg/dL,37 \u00b0",
    ]
    path.write_bytes("\r\n".join([header, *rows, ""]).encode("latin-1"))
    cohort = run()
    assert kept(cohort) == [(2.0, 1.5), (4.0, 1.7), (6.0, 1.9)]
    assert cohort.manifest["records_left_out"] == {
        "LABEVENTS.CSV": {
            "a quote that is not closed": 1,
            "bytes that are no UTF-8 were read as Windows-1252": 1,
            "wrong number of columns": 1,
        }
    }


def test_truncated_gzip_stops_or_is_read_up_to_its_break(hospital, run) -> None:  # type: ignore[no-untyped-def]
    rows = [hospital.lab(i, 11, 50931, f"2152-01-0{1 + i % 4} {i % 24:02d}:{i % 60:02d}:00", i) for i in range(9_000)]
    path = hospital.write("hosp/labevents", rows)
    path.write_bytes(path.read_bytes()[:-30_000])
    with pytest.raises(InputError, match=r"labevents\.csv\.gz: truncated or damaged gzip"):
        run()
    cohort = run(keep_going=True)
    assert cohort.table("series").height > 10
    assert cohort.manifest["records_left_out"] == {"labevents.csv.gz": {"the packed file ends early": 1}}


def test_parquet_tables(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/labevents", [hospital.lab(1, 11, CREATININE, NOON, 2.0, valueuom="mg/dL")])
    plain = ingest(hospital.root, tmp_path / "plain")
    for path in sorted(hospital.root.rglob("*.csv.gz")):
        pl.read_csv(gzip.decompress(path.read_bytes()), try_parse_dates=True).write_parquet(
            path.with_name(path.name.replace(".csv.gz", ".parquet"))
        )
        path.unlink()
    cohort = run()
    for name in ("admissions", "series", "codes"):
        assert cohort.table(name).equals(plain.table(name))


NOTE = "Chief Complaint:\nfever\nHistory of Present Illness:\nchills.\n"


@pytest.mark.parametrize("place", ["mimic-iv-note/2.2/note", "mimic-iv-note-2.2/note", "mimic/note", "elsewhere/note"])
def test_notes_of_the_module_are_found(hospital, run, tmp_path: Path, place: str) -> None:  # type: ignore[no-untyped-def]
    note = {"note_id": "1-DS-1", "hadm_id": 11, "note_type": "DS", "note_seq": 1, "text": NOTE}
    path = hospital.write("note/discharge", [note])
    target = tmp_path / place / path.name
    if target != path:
        target.parent.mkdir(parents=True)
        shutil.move(path, target)
    options = {"notes": tmp_path / "elsewhere"} if "elsewhere" in place else {}
    cohort = run(**options)
    assert entry(cohort, "notes")["notes"] == 1 and cohort.admission("11").notes[0].text == "fever"


def test_no_notes_where_they_were_said_to_be(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(InputError, match=r"note/discharge\.csv or"):
        run(notes=tmp_path / "elsewhere")


def test_no_layout_says_what_was_seen(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "visits.csv").write_text("a\n")
    with pytest.raises(InputError, match=r"it holds visits\.csv"):
        ingest(tmp_path / "x", tmp_path / "cohort")


def test_no_labels_at_all_stop(hospital, run) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/diagnoses_icd", [])
    with pytest.raises(InputError, match="no admission has a coded diagnosis"):
        run()


def test_a_directory_without_labs_gives_what_it_has(hospital, run) -> None:  # type: ignore[no-untyped-def]
    (hospital.root / "hosp" / "labevents.csv.gz").unlink()
    hospital.write("icu/chartevents", [hospital.chart(11, HR, NOON, 80)])
    cohort = run()
    assert kept(cohort) == [(2.0, 80.0)]
    source = cohort.manifest["source"]
    assert source["absent"][0] == "hosp/labevents"  # type: ignore[index,call-overload]


def test_two_layouts_in_one_directory(hospital, run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from ehr import ingest as module

    class Other:
        name = "other"

        def matches(self, directory: Path) -> bool:
            return True

        def open(self, directory: Path) -> object:
            raise AssertionError

    monkeypatch.setattr(module, "LAYOUTS", (*module.LAYOUTS, Other()))
    with pytest.raises(InputError, match="it looks like mimic-iv and other; say which with --layout"):
        run()
    assert run(layout="mimic-iv").ids()
