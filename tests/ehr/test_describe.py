from pathlib import Path

from ehr.describe import describe
from ehr.ingest import ingest
from ehr.phenotypes import load_phenotypes
from ehr.series import load_series


def test_description_of_a_small_cohort(hospital, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/labevents", [hospital.lab(i, 11, 50912, f"2152-01-01 1{i}:00:00", 1.0 + i) for i in range(3)])
    hospital.write("note/discharge", [{"note_id": "1", "hadm_id": 11, "text": "Chief Complaint:\nfever\n"}])
    (hospital.root / "splits.csv").write_text("subject_id,split\n1,train\n2,test_words\n3,test\n")
    rows = describe(ingest(hospital.root, tmp_path / "cohort"))
    assert len(rows) == 21 + 3 * len(load_phenotypes()) + 1 + len(load_series())
    by_measure = {row["measure"]: row for row in rows if not str(row["group"]).startswith("leakage")}
    assert list(by_measure["patients"].items())[2:] == [("all", 3), ("train", 1), ("test", 1), ("test_words", 1)]
    assert by_measure["admissions with a note, %"]["train"] == 50.0
    assert by_measure["lab values per admission, median"]["train"] == 1.5
    assert by_measure["creatinine (LOINC:2160-0)"]["all"] == 75.0
    assert by_measure["creatinine (LOINC:2160-0)"]["train"] == 50.0
    assert by_measure["heart rate (LOINC:8867-4)"]["all"] == 100.0
    assert by_measure["Shock (CCS:249)"]["all"] == 25.0


def test_what_nobody_could_know_is_empty(hospital, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/patients", [])
    by_measure = {row["measure"]: row for row in describe(ingest(hospital.root, tmp_path / "cohort"))}
    assert by_measure["age, median years"]["all"] == ""
    assert by_measure["female, %"]["all"] == ""
