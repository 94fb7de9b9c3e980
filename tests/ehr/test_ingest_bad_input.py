import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.ingest import ingest
from ehr.schemas import SCHEMAS


@pytest.fixture
def refused(hospital, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Ingests, expects an InputError of one line, and checks that nothing was left behind."""

    def attempt(out: Path | None = None, directory: Path | None = None, **options: object) -> str:
        place = tmp_path / "out"
        place.mkdir(exist_ok=True)
        before = sorted(str(path) for path in place.rglob("*"))
        with pytest.raises(InputError) as caught:
            ingest(directory or hospital.root, out or place / "cohort", **options)  # type: ignore[arg-type]
        assert sorted(str(path) for path in place.rglob("*")) == before
        message = str(caught.value)
        assert "\n" not in message
        return message

    return attempt


@pytest.mark.parametrize("table", ["hosp/patients", "hosp/admissions", "hosp/diagnoses_icd"])
def test_missing_file_is_named(hospital, refused, table: str) -> None:  # type: ignore[no-untyped-def]
    (hospital.root / f"{table}.csv.gz").unlink()
    assert f"no MIMIC-IV directory: {table}.csv or {table}.csv.gz is missing" in refused()


def test_directory(hospital, refused, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "no such directory" in refused(directory=tmp_path / "absent")
    file = hospital.root / "hosp" / "patients.csv.gz"
    assert "no such directory" in refused(directory=file)


def test_unknown_layout(refused) -> None:  # type: ignore[no-untyped-def]
    assert "unknown layout 'cerner'; expected auto, mimic-iv" in refused(layout="cerner")


@pytest.mark.parametrize("table", ["hosp/labevents", "hosp/patients", "icu/chartevents", "note/discharge"])
@pytest.mark.parametrize("keep", [0, 8, 0.5, -1])
def test_truncated_gzip_is_named(hospital, refused, table: str, keep: float) -> None:  # type: ignore[no-untyped-def]
    rows = [{"hadm_id": i, "subject_id": i * 7919 % 104729, "text": f"{i**3}"} for i in range(3000)]
    path = hospital.write(table, rows)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else int(keep)])
    message = refused()
    assert path.name in message
    assert "truncated or damaged gzip" in message or "file is empty" in message


@pytest.mark.parametrize(
    ("table", "columns", "lacking"),
    [
        ("hosp/admissions", "subject_id,hadm_id,admittime", "dischtime"),
        ("hosp/labevents", "labevent_id,subject_id,hadm_id,item,charttime,valuenum", "itemid"),
        ("hosp/diagnoses_icd", "subject_id,hadm_id,icd9_code", "icd_code"),
        ("icu/chartevents", "subject_id,hadm_id,stay_id,charttime,itemid,value", "valuenum"),
        ("note/discharge", "hadm_id,note", "text"),
    ],
)
def test_missing_column_says_which_and_what_stands_there(hospital, refused, table, columns, lacking) -> None:  # type: ignore[no-untyped-def]
    hospital.write(table, [], columns=columns)
    message = refused()
    assert f"{table}.csv.gz: no column {lacking!r}; it has {columns.replace(',', ', ')}" in message


def test_another_hospitals_patients_table(hospital, refused) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/patients", [], columns="row_id,subject_id,gender,dob")
    assert "no column 'anchor_age'; it has row_id, subject_id, gender, dob" in refused()


@pytest.mark.parametrize("version", ["11", "", "ICD-10"])
def test_unknown_icd_version(hospital, refused, version: str) -> None:  # type: ignore[no-untyped-def]
    rows = [*hospital.diagnoses, {"hadm_id": 31, "icd_code": "I10", "icd_version": version}]
    hospital.write("hosp/diagnoses_icd", rows)
    message = refused()
    assert "diagnoses_icd.csv.gz: 1 diagnoses with unknown ICD version" in message and "expected 9" in message


@pytest.mark.parametrize("number", [0, 2])
def test_fewer_than_two_patients(hospital, refused, number: int) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/admissions", hospital.admissions[:number])
    assert f"admissions.csv.gz: {bool(number):d} patients with admissions; a cohort needs at least two" in refused()


def test_place_that_may_not_be_replaced(hospital, refused, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    assert "is not empty and no cohort" in refused(out=home)
    (home / "manifest.json").write_text('{"kind": "run"}')
    assert "is not empty and no cohort" in refused(out=home)
    assert "is a file" in refused(out=home / "letter.txt")
    assert "not a directory" in refused(out=home / "letter.txt" / "cohort")
    assert (home / "letter.txt").read_text() == "dear"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(refused, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert "no permission" in refused(out=closed / "cohort")


def test_bad_splits_file(hospital, refused, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (hospital.root / "splits.csv").write_text("subject_id,split\n1,train\n2,test\n")
    assert "splits.csv: 1 of 3 patients have no split" in refused()
    assert "no such file" in refused(splits=tmp_path / "absent.csv")


def _run(root: Path, out: Path, prepare: object = None) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from pathlib import Path; from ehr.errors import ClinRaGenError; from ehr.ingest import ingest\n"
        "try: ingest(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except ClinRaGenError as error: print(error); sys.exit(error.exit_code)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(root), str(out)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        preexec_fn=prepare,  # type: ignore[arg-type]
        check=False,
    )


@pytest.mark.parametrize("limit", [2_000, 60_000, 400_000])
def test_no_room_for_the_file(hospital, tmp_path: Path, limit: int) -> None:  # type: ignore[no-untyped-def]
    labs = [hospital.lab(i, 11, 50931, f"2152-01-0{1 + i % 4} {i % 24:02d}:{i % 60:02d}:00", i) for i in range(20_000)]
    hospital.write("hosp/labevents", labs)

    def small_files() -> None:
        # The kernel refuses longer files, as a full disk would.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    place = tmp_path / "out"
    place.mkdir()
    done = _run(hospital.root, place / "cohort", small_files)
    assert (done.returncode, done.stdout.count("\n")) == (2, 1), done.stderr[-2000:]
    assert "would be larger than is allowed" in done.stdout or "no space left" in done.stdout
    assert list(place.iterdir()) == []


KILLS = {
    "looking through": "ehr.filling.mend",
    "stays": "ehr.filling.write_admissions",
    "labs": "ehr.events.drop_venous",
    "chart": "ehr.layouts.mimic4.load_visits",
    "drugs": "ehr.filling.home_medications",
    "notes": "ehr.filling._write_notes",
    "end": "ehr.filling._report",
}


@pytest.mark.parametrize("place_of_death", sorted(KILLS))
def test_killed_and_run_again(hospital, tmp_path: Path, place_of_death: str) -> None:  # type: ignore[no-untyped-def]
    labs = [hospital.lab(i, 11, 50931, f"2152-01-0{1 + i % 4} {i % 24:02d}:{i % 60:02d}:00", i) for i in range(5_000)]
    hospital.write("hosp/labevents", labs)
    hospital.write("icu/chartevents", [hospital.chart(11, 220045, "2152-01-02 00:00:00", 80)])
    text = "Chief Complaint:\nfever\nMedications on Admission:\n1. Aspirin 81 mg PO DAILY\n"
    hospital.write("note/discharge", [{"note_id": "a", "hadm_id": 11, "note_type": "DS", "note_seq": 1, "text": text}])
    drug = {"hadm_id": 11, "starttime": "2152-01-01 12:00:00", "drug": "Heparin"}
    hospital.write("hosp/prescriptions", [drug])
    whole = ingest(hospital.root, tmp_path / "whole")
    place = tmp_path / "out"
    place.mkdir()
    module, _, name = KILLS[place_of_death].rpartition(".")
    owner = f"importlib.import_module({module!r})"
    # What a kill in the middle leaves: an unfinished directory beside the place, its owner gone.
    code = (
        "import importlib, os, sys; from pathlib import Path; import ehr.ingest as i\n"
        f"setattr({owner}, {name!r}, lambda *a, **k: os.kill(os.getpid(), 9))\n"
        "i.ingest(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(hospital.root), str(place / "cohort")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert [path.suffix for path in place.iterdir()] == [".tmp"]
    assert stat.S_IMODE(next(place.iterdir()).stat().st_mode) == 0o700
    again = ingest(hospital.root, place / "cohort")
    assert [path.name for path in place.iterdir()] == ["cohort"]
    for name in SCHEMAS:
        assert again.table_path(name).read_bytes() == whole.table_path(name).read_bytes()
    manifests = [{**one.manifest} for one in (again, whole)]
    assert manifests[0] == manifests[1]


def test_a_table_that_was_read_is_not_read_again(hospital, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    hospital.write("icu/chartevents", [hospital.chart(11, 220045, "2152-01-02 00:00:00", 80)])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ehr.filling._load_notes", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest(hospital.root, tmp_path / "cohort")
    read: list[str] = []
    monkeypatch.setattr("ehr.filling._once_each", lambda advance: read.append)
    ingest(hospital.root, tmp_path / "cohort")
    assert read == []


def test_what_other_inputs_left_is_removed(hospital, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    place = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr("ehr.filling._load_notes", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest(hospital.root, place / "cohort")
    assert len(list(place.iterdir())) == 1
    ingest(hospital.root, place / "cohort", seed=3)
    assert [path.name for path in place.iterdir()] == ["cohort"]


def test_an_older_cohort_stays_where_the_new_one_fails(hospital, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ingest(hospital.root, tmp_path / "cohort")
    hospital.write("hosp/diagnoses_icd", [{"hadm_id": 11, "icd_code": "I10", "icd_version": 11}])
    with pytest.raises(InputError, match="unknown ICD version"):
        ingest(hospital.root, tmp_path / "cohort")
    assert Cohort.open(tmp_path / "cohort").ids() == ("11", "12", "21", "31")
