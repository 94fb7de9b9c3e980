"""The reader of MEDS data sets, on sets made here with the codes that the converters publish."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.ingest import ingest
from ehr.layouts.meds_codes import read_code
from ehr.layouts.meds_data import Meds
from tests.ehr.ingested import admission, check_resumed, counts, values
from tests.ehr.meds_builder import PEOPLE, STAYS, MedsBuilder, T, event, stay


@pytest.fixture
def meds(tmp_path: Path) -> MedsBuilder:
    return MedsBuilder(tmp_path / "set")


@pytest.fixture
def run(meds: MedsBuilder, tmp_path: Path) -> Callable[..., Cohort]:
    return partial(ingest, meds.root, tmp_path / "cohort")


@pytest.mark.parametrize(
    ("code", "version", "value"),
    [
        ("DIAGNOSIS//ICD//9//4019", "9", "4019"),
        ("DIAGNOSIS//ICD//10//I10", "10", "I10"),
        ("DIAGNOSIS//ICD10CM//I10", "10", "I10"),
        ("ICD10CM/I10", "10", "I10"),
        ("ICD9CM/401.9", "9", "401.9"),
        ("icd-10-cm:I10", "10", "I10"),
        ("CONDITION//ICD10//N17.9", "10", "N17.9"),
    ],
)
def test_forms_of_icd_codes(code: str, version: str, value: str) -> None:
    found = read_code(code)
    assert found is not None and (found.kind, found.version, found.value) == ("diagnosis", version, value)


@pytest.mark.parametrize("code", ["PROCEDURE//ICD//9//3961", "ICD10PCS/0DB64Z3", "ICD9Proc/39.61", "DRG//HCFA//864"])
def test_procedures_and_groups_are_no_diagnoses(code: str) -> None:
    assert read_code(code) is None


def test_admissions_with_an_id(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.shard([*PEOPLE, *STAYS])
    first = admission(run(), "11")
    assert (first["patient_id"], first["age"], first["sex"]) == ("1", 60.0, "F")
    assert (first["admission_type"], first["length_of_stay_hours"]) == ("EW EMER.", 96.0)
    cohort = run()
    assert admission(cohort, "12")["admission_type"] == "ELECTIVE"
    assert admission(cohort, "21")["age"] == 91.0, "a birth 175 years ago hides an age over 89"
    assert admission(cohort, "31")["age"] is None and admission(cohort, "31")["patient_id"] == "-3"


def test_admissions_without_ids_are_paired_in_order_of_time(meds, run) -> None:  # type: ignore[no-untyped-def]
    lost = stay(1, None, "2013-01-01 00:00:00", "2013-01-02 00:00:00")[:1]
    rows = [{**row, "hadm_id": None} for row in [*PEOPLE, *STAYS, *lost]]
    rows += [event(1, "2011-03-01 12:00:00", "DIAGNOSIS//ICD//10//N179")]
    rows += [event(1, "2010-03-01 12:00:00", "LOINC/2160-0", 1.5, unit="mg/dL")]
    meds.shard(rows, visits=False)
    cohort = run()
    assert admission(cohort, "1-1")["length_of_stay_hours"] == 96.0
    assert admission(cohort, "1-2")["length_of_stay_hours"] == 24.0
    assert admission(cohort, "1-3")["length_of_stay_hours"] is None, "its discharge is not there"
    assert admission(cohort, "1-2")["labels"] == ["CCS:157"]
    assert values(cohort, "1-1") == {"LOINC:2160-0": [(2.0, 1.5)]}


def test_a_visit_in_one_row_with_its_end(meds, run) -> None:  # type: ignore[no-untyped-def]
    start, end = T("2010-01-01 00:00:00"), T("2010-01-03 00:00:00")
    inpatient = [event(s, None, "Visit/IP", visit_id=s * 10, end=end) | {"time": start} for s in (1, 2)]
    outpatient = [event(1, "2012-01-01", "Visit/OP", visit_id=99, end=end)]
    diagnosis = [event(1, "2010-01-02", "ICD10CM/I50.9", visit_id=10)]
    meds.shard([event(1, None, "Gender/F"), *inpatient, *outpatient, *diagnosis], visits=False)
    cohort = run()
    assert cohort.ids() == ("10", "20")
    assert admission(cohort, "10")["length_of_stay_hours"] == 48.0 and admission(cohort, "10")["sex"] == "F"
    assert admission(cohort, "10")["labels"] == ["CCS:108"]


def test_items_of_mimic_and_the_time_of_storing(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.shard(
        [
            *PEOPLE,
            *STAYS,
            event(1, "2010-03-01 11:30:00", "LAB//RESULT//50912//mg/dL", 1.2, hadm_id=11),
            event(1, "2010-03-01 10:00:00", "LAB//SPECIMEN_COLLECTED//50912//ROUTINE", hadm_id=11),
            event(1, "2010-03-01 13:00:00", "LAB//223761//°F", 98.6, hadm_id=11),
            event(1, "2010-03-01 14:00:00", "LAB//50912//mg/dL", 1.3, hadm_id=11),
            event(1, "2010-03-01 15:00:00", "LAB//220045//bpm", 0.0, hadm_id=11),
            event(1, "2010-03-01 16:00:00", "LAB//99999999//UNK", 7.0, hadm_id=11),
        ]
    )
    cohort = run()
    assert values(cohort, "11") == {"LOINC:2160-0": [(1.5, 1.2), (4.0, 1.3)], "LOINC:8310-5": [(3.0, 37.0)]}
    assert counts(cohort)["implausible"] == 1
    rows = cohort.table("series")["source_row"].to_list()
    assert "data:1:LAB//RESULT//50912//mg/dL" in rows


def test_mimics_items_mean_nothing_elsewhere_but_parents_do(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.dataset(dataset_name="another hospital")
    codes = [("LAB//50912//mg/dL", "potassium", ["LOINC/2823-3"]), ("OUR//HR", "pulse", ["LOINC/8867-4"])]
    meds.codes([*codes, ("OUR//DX1", None, ["ICD10CM/N17.9"]), ("OUR//ADM", None, ["HOSPITAL_ADMISSION"])])
    rows = [
        event(1, "2010-03-01 12:00:00", "LAB//50912//mg/dL", 4.0, hadm_id=11),
        event(1, "2010-03-01 12:00:00", "OUR//HR", 80.0, hadm_id=11),
        event(1, "2010-03-01 12:00:00", "OUR//DX1", hadm_id=11),
        event(1, "2010-03-01 12:00:00", "OUR//ADM", hadm_id=77),
    ]
    meds.shard([*PEOPLE, *STAYS, *rows])
    cohort = run()
    assert values(cohort, "11") == {"LOINC:8867-4": [(2.0, 80.0)]}, "potassium in mg/dL is no unit of ours"
    assert counts(cohort)["unknown_unit"] == 1
    assert admission(cohort, "11")["labels"] == ["CCS:157"] and "77" not in cohort.ids()


def test_text_has_the_digits_that_32_bits_have_not(meds, run) -> None:  # type: ignore[no-untyped-def]
    code = "LOINC/777-3"
    rows = [
        event(1, "2010-03-01 11:00:00", code, 233.12345678, text_value="233.12345678", hadm_id=11),
        event(1, "2010-03-01 12:00:00", code, 0.1, hadm_id=11),
        event(1, "2010-03-01 13:00:00", code, 5.0, text_value="clumped", hadm_id=11),
        event(1, "2010-03-01 14:00:00", code, None, text_value="<5", hadm_id=11),
        event(1, "2010-03-01 15:00:00", code, None, text_value="HOLD", hadm_id=11),
        event(1, "2010-03-01 16:00:00", code, float("nan"), hadm_id=11),
    ]
    meds.shard([*PEOPLE, *STAYS, *rows])
    cohort = run()
    assert values(cohort, "11")[code.replace("/", ":")] == [(1.0, 233.123457), (2.0, 0.1), (3.0, 5.0), (4.0, 5.0)]
    assert counts(cohort)["no_number"] == 1


def test_values_without_an_admission(meds, run) -> None:  # type: ignore[no-untyped-def]
    rows = [
        event(1, "2010-03-01 08:00:00", "ED_REGISTRATION"),
        event(1, "2010-03-01 09:00:00", "LOINC/2160-0", 1.0),
        event(1, "2010-03-09 00:00:00", "LOINC/2160-0", 2.0),
        event(1, None, "LOINC/2160-0", 3.0, hadm_id=11),
    ]
    meds.shard([*PEOPLE, *STAYS, *rows])
    cohort = run()
    assert values(cohort, "11") == {"LOINC:2160-0": [(-1.0, 1.0)]}, "between arrival and admission"
    found = counts(cohort)
    assert (found["outside_admissions"], found["no_time"]) == (1, 1)


def test_shards_may_have_columns_of_their_own(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.shard([*PEOPLE[:2], *STAYS[:4]], "train/0")
    meds.shard(
        [*PEOPLE[2:], *STAYS[4:], event(2, "2015-01-01 01:00:00", "LOINC/8310-5", 98.6, unit="[degF]")], "tuning/0"
    )
    (meds.root / "data" / ".logs").mkdir()
    (meds.root / "data" / ".logs" / "broken.parquet").write_bytes(b"no parquet")
    cohort = run()
    assert cohort.ids() == ("11", "12", "21", "31")
    assert [round(v, 1) for _, v in values(cohort, "21")["LOINC:8310-5"]] == [37.0]


def test_its_own_splits(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.shard([*PEOPLE, *STAYS])
    meds.splits({1: "train", 2: "tuning", -3: "held_out"})
    assert dict(run().table("admissions").select("admission_id", "split").iter_rows()) == {
        "11": "train",
        "12": "train",
        "21": "dev",
        "31": "test",
    }


def test_drugs_units_and_notes(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.codes(
        [("RxNorm/4603", "furosemide 40 MG Oral Tablet", None), ("PROCEDURE//START//225792", "Ventilation", None)]
    )
    text = "Chief Complaint:\nshort of breath\n\nDischarge Diagnosis:\nheart failure\n"
    rows = [
        event(1, "2010-03-01 12:00:00", "MEDICATION//START//Heparin//00781304014", hadm_id=11),
        event(1, "2010-03-01 12:00:00", "RxNorm/4603", hadm_id=11),
        event(2, "2015-01-01 01:00:00", "ICU_ADMISSION//MICU", hadm_id=21),
        event(2, "2015-01-01 02:00:00", "PROCEDURE//START//225792", hadm_id=21),
        event(1, "2010-03-05 12:00:00", "NOTE//DISCHARGE_SUMMARY", text_value=text, hadm_id=11),
    ]
    meds.shard([*PEOPLE, *STAYS, *rows])
    cohort = run()
    drugs = cohort.table("medications").select("admission_id", "name", "hours").rows()
    assert drugs == [("11", "furosemide", 2.0), ("11", "heparin", 2.0)]
    notes = dict(cohort.table("notes").select("admission_id", "text").iter_rows())
    assert notes["11"] == "short of breath"
    assert "micu" in notes["21"] and "ventilation" in notes["21"]


def test_snomed_through_the_data_sets_own_vocabulary(meds, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from ehr.hospital import WORK_TABLES
    from ehr.layouts.meds_data import Meds
    from ehr.tables import Workspace

    meds.codes([("ICD10CM/N17.9", None, ["SNOMED/14669001"]), ("SNOMED/14669001", None, None)])
    rows = [event(1, "2010-03-01 12:00:00", f"SNOMED/{code}", hadm_id=11) for code in ("14669001", "387713003")]
    meds.shard([*PEOPLE, *STAYS, *rows])
    (tmp_path / "scratch").mkdir()
    workspace, found = Workspace(tmp_path / "scratch"), {}
    for table in WORK_TABLES:
        workspace.run(f"CREATE TABLE {table}")
    Meds(meds.root).load_stays(workspace, found)
    assert workspace.frame("SELECT * FROM code_map").rows() == [("14669001", "SNOMEDCT", "N17.9", "10")]
    assert workspace.frame("SELECT code, version FROM diagnosis ORDER BY ALL").rows() == [
        ("14669001", "SNOMEDCT"),
        ("I509", "10"),
    ]
    assert found["snomed_rows_without_icd"] == 1
    workspace.close()


def test_the_same_set_gives_the_same_rows(meds, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    meds.shard([*PEOPLE, *STAYS, *(event(1, "2010-03-01 12:00:00", "LOINC/2160-0", v, hadm_id=11) for v in (1.0, 2.0))])
    first, second = run(), ingest(meds.root, tmp_path / "again")
    for name in ("admissions", "series", "codes", "notes"):
        assert first.table(name).equals(second.table(name))
    assert counts(first)["same_time"] == 1


def test_no_admissions_says_what_codes_there_are(meds, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    meds.shard([*PEOPLE, event(1, "2010-03-01 12:00:00", "LOINC/2160-0", 1.0)])
    with pytest.raises(
        InputError, match=r"no admissions: expected codes HOSPITAL_ADMISSION.*begin with GENDER, MEDS_BIRTH"
    ):
        run()
    assert not (tmp_path / "cohort").exists()


def test_a_file_that_breaks_the_schema(meds, run) -> None:  # type: ignore[no-untyped-def]
    path = meds.root / "data" / "train" / "0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"subject_id": ["x"], "time": [None], "code": ["A"]}), path)
    with pytest.raises(InputError, match="breaks the schema of MEDS"):
        run(layout="meds")
    pq.write_table(pa.table({"subject_id": [1], "code": ["A"]}), path)
    with pytest.raises(InputError, match="time"):
        run(layout="meds")
    path.write_bytes(b"no parquet")
    with pytest.raises(InputError, match="no Parquet file"):
        run(layout="meds")


def test_a_dataset_json_that_is_none(meds, run) -> None:  # type: ignore[no-untyped-def]
    meds.shard([*PEOPLE, *STAYS])
    meds.dataset(dataset_name=5)
    with pytest.raises(InputError, match=r"dataset\.json"):
        run()


def test_it_goes_on_where_a_run_was_stopped(meds, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    meds.shard(
        [
            *PEOPLE,
            *STAYS,
            event(1, "2010-03-01 12:00:00", "LOINC/2160-0", 1.5, hadm_id=11),
            event(1, "2010-03-01 12:00:00", "MEDICATION//START//Heparin", hadm_id=11),
        ]
    )
    whole = ingest(meds.root, tmp_path / "whole")
    check_resumed(run, Meds, whole, monkeypatch)


def test_every_value_is_traced_to_its_row(meds, run) -> None:  # type: ignore[no-untyped-def]
    from ehr.trace import trace

    first = [event(1, f"2010-03-01 {hour}:00:00", "LOINC:2160-0", hour / 10, hadm_id=11) for hour in (11, 12)]
    other = [event(2, "2015-01-01 01:00:00", "LOINC/8310-5", 98.6, unit="[degF]", hadm_id=21)]
    meds.shard([*PEOPLE[:2], *STAYS[:4], *first], "train/0")
    meds.shard([*PEOPLE[2:], *STAYS[4:], *other], "tuning/0")
    cohort = run()
    rows = trace(cohort, "11", "creatinine")
    assert [(row["value"], row["file"]) for row in rows] == [(1.1, "0.parquet"), (1.2, "0.parquet")]
    assert [row["record"]["time"] for row in rows] == ["2010-03-01 11:00:00", "2010-03-01 12:00:00"]  # type: ignore[index]
    [row] = trace(cohort, "21", "temperature")
    assert row["record"]["unit"] == "[degF]"  # type: ignore[index]
