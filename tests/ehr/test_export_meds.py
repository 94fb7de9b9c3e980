"""The export to MEDS: valid by the package's own schemas, and the same cohort when it is read back."""

import json
import stat
from pathlib import Path

import meds.schema as standard
import polars as pl
import pyarrow.parquet as pq
import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.export_meds import export_meds
from ehr.ingest import ingest

DEMO = Path(__file__).parents[2].parent / "shared" / "data" / "patients" / "mimic-iv-demo-2.2"
NOTE = "Chief Complaint:\nshort of breath\n\nMedications on Admission:\n1. Lasix 40 mg daily\n2. aspirin 81 mg\n"


@pytest.fixture
def cohort(hospital, tmp_path: Path) -> Cohort:  # type: ignore[no-untyped-def]
    labs = [
        hospital.lab(1, 11, 50912, "2152-01-01 08:00:00", "1.234567891", valueuom="mg/dL", ref_range_upper=1.2),
        hospital.lab(2, 11, 50912, "2152-01-02 10:00:01", 2, valueuom="mg/dL"),
        hospital.lab(3, 12, 50931, "2152-03-01 01:00:00", 140, valueuom="mg/dL"),
        hospital.lab(5, 31, 51265, "2160-06-03 00:00:00", "233.123456789", valueuom="K/uL", ref_range_upper=440),
        hospital.lab(4, 31, 50931, "2160-06-02 00:00:00", "<10"),
    ]
    hospital.write("hosp/labevents", labs)
    drugs = [{"subject_id": 1, "hadm_id": 11, "pharmacy_id": 5, "starttime": "2152-01-01 12:00:00", "drug": "Heparin"}]
    hospital.write("hosp/prescriptions", [*drugs, {**drugs[0], "starttime": "", "drug": "Insulin"}])
    note = {"note_id": "1-DS-1", "subject_id": 1, "hadm_id": 11, "note_type": "DS", "note_seq": 1, "text": NOTE}
    hospital.write("note/discharge", [note])
    return ingest(hospital.root, tmp_path / "cohort")


def shards(out: Path) -> list[Path]:
    return sorted((out / "data").rglob("*.parquet"))


def assert_valid(out: Path) -> None:
    """Everything that the standard says of a data set."""
    owner: dict[int, Path] = {}
    codes: set[str] = set()
    for path in shards(out):
        table = pq.read_table(path)
        standard.DataSchema.validate(table)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        codes |= set(frame["code"])
        runs = frame["subject_id"].rle().struct.field("value")
        assert runs.n_unique() == runs.len(), "a subject's rows lie together"
        for subject, part in frame.group_by("subject_id"):
            assert owner.setdefault(int(str(subject[0])), path) == path, "a subject lies in one shard"
            assert part.height == part["time"].null_count() + part["time"].drop_nulls().len()
            times = part["time"].fill_null(pl.datetime(1, 1, 1))
            assert times.is_sorted(), "in order of time, static rows first"
    splits = pq.read_table(out / standard.subject_splits_filepath)
    standard.SubjectSplitSchema.validate(splits)
    assert set(splits["subject_id"].to_pylist()) == set(owner)
    for subject, split in zip(*(splits[n].to_pylist() for n in ("subject_id", "split")), strict=True):
        assert owner[subject].parent.name == split
    described = pq.read_table(out / standard.code_metadata_filepath)
    standard.CodeMetadataSchema.validate(described)
    assert set(described["code"].to_pylist()) == codes
    standard.DatasetMetadataSchema.validate(json.loads((out / standard.dataset_metadata_filepath).read_text()))


def assert_same(first: Cohort, second: Cohort) -> None:
    assert first.table("admissions").equals(second.table("admissions"))
    assert first.table("codes").equals(second.table("codes"))
    for name in ("series", "medications"):
        one, two = (c.table(name).drop("source_row").sort(pl.all()) for c in (first, second))
        assert one.equals(two), name


def test_a_valid_data_set_and_the_same_cohort_again(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    [row] = export_meds(cohort, out)
    assert (row["subjects"], row["admissions"]) == (3, 4)
    assert_valid(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert_same(cohort, ingest(out, tmp_path / "again"))


def test_it_holds_no_note_and_no_date_unless_asked_for(cohort: Cohort, tmp_path: Path) -> None:
    export_meds(cohort, tmp_path / "out")
    data = pl.read_parquet(shards(tmp_path / "out"))
    assert not data["text_value"].drop_nulls().str.contains("breath").any()
    assert data.filter(pl.col("code").str.starts_with("HOSPITAL_ADMISSION"))["time"].dt.year().max() == 2000
    export_meds(cohort, tmp_path / "text", include_text=True)
    assert_valid(tmp_path / "text")
    again = ingest(tmp_path / "text", tmp_path / "again")
    notes = again.table("notes").filter(pl.col("origin") == "note")
    assert notes.equals(cohort.table("notes").filter(pl.col("origin") == "note"))
    assert "falls under the same terms" in (tmp_path / "out" / "README.md").read_text()


def test_what_32_bits_do_not_hold_stands_beside_as_text(cohort: Cohort, tmp_path: Path) -> None:
    export_meds(cohort, tmp_path / "out")
    data = pl.read_parquet(shards(tmp_path / "out"))
    row = data.filter(pl.col("code") == "LOINC/777-3")
    assert row["text_value"].to_list() == ["233.123457"] and row["reference_high"][0] == 440.0
    assert set(data.filter(pl.col("code") == "LOINC/2345-7")["text_value"]) == {None}


def test_ids_that_are_no_numbers(hospital, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name = {1: "002-1", 2: "002-2", 3: "-5"}
    patients = [{**row, "subject_id": name[row["subject_id"]]} for row in hospital.patients]
    stays = [{**r, "subject_id": name[r["subject_id"]], "hadm_id": f"A{r['hadm_id']}"} for r in hospital.admissions]
    codes = [{**row, "hadm_id": f"A{row['hadm_id']}"} for row in hospital.diagnoses]
    for table, rows in (("patients", patients), ("admissions", stays), ("diagnoses_icd", codes)):
        hospital.write(f"hosp/{table}", rows)
    hospital.write("hosp/labevents", [hospital.lab(1, "A31", 50931, "2160-06-02 00:00:00", 99)])
    cohort = ingest(hospital.root, tmp_path / "cohort")
    export_meds(cohort, tmp_path / "out")
    assert_valid(tmp_path / "out")
    assert set(pl.read_parquet(shards(tmp_path / "out"))["patient_id"]) == set(name.values())
    assert_same(cohort, ingest(tmp_path / "out", tmp_path / "again"))


def test_negative_ids_of_64_bits(hospital, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    big = {1: -(2**63), 2: 2**63 - 1, 3: -3}
    hospital.write("hosp/patients", [{**r, "subject_id": big[r["subject_id"]]} for r in hospital.patients])
    hospital.write("hosp/admissions", [{**r, "subject_id": big[r["subject_id"]]} for r in hospital.admissions])
    cohort = ingest(hospital.root, tmp_path / "cohort")
    export_meds(cohort, tmp_path / "out")
    assert_valid(tmp_path / "out")
    assert_same(cohort, ingest(tmp_path / "out", tmp_path / "again"))


def test_nothing_of_others_is_overwritten(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and no earlier export"):
        export_meds(cohort, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        export_meds(cohort, file)
    other = tmp_path / "other"
    (other / "metadata").mkdir(parents=True)
    (other / "metadata" / "dataset.json").write_text('{"etl_name": "another"}')
    with pytest.raises(InputError, match="no earlier export"):
        export_meds(cohort, other)


def test_an_earlier_export_is_replaced_by_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_meds(cohort, out)
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    export_meds(cohort, out)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_whole_or_not_at_all(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("ehr.export_meds.pq.write_table", full)
    with pytest.raises(InputError, match="no space left"):
        export_meds(cohort, tmp_path / "place" / "out")
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.skipif(not DEMO.is_dir(), reason="MIMIC-IV demo is not beside the checkout")
def test_the_mimic_demo_and_back(tmp_path: Path) -> None:
    cohort = ingest(DEMO, tmp_path / "cohort")
    export_meds(cohort, tmp_path / "out")
    assert_valid(tmp_path / "out")
    assert_same(cohort, ingest(tmp_path / "out", tmp_path / "again"))


def test_series_of_a_users_own(tmp_path: Path, hospital) -> None:  # type: ignore[no-untyped-def]
    hospital.write("hosp/labevents", [hospital.lab(1, 11, 50954, "2152-01-01 12:00:00", 250, valueuom="IU/L")])
    (tmp_path / "series.csv").write_text("code,unit,name\n2532-0,U/L,lactate dehydrogenase\n")
    (tmp_path / "items.csv").write_text("table,itemid,code,unit\nlabevents,50954,2532-0,IU/L\n")
    chosen = str(tmp_path / "series.csv")
    cohort = ingest(hospital.root, tmp_path / "cohort", series=chosen, items=tmp_path / "items.csv")
    assert cohort.table("series").height == 1
    export_meds(cohort, tmp_path / "out")
    described = pl.read_parquet(tmp_path / "out" / "metadata" / "codes.parquet")
    assert "lactate dehydrogenase" in set(described["description"])
    assert_same(cohort, ingest(tmp_path / "out", tmp_path / "again", series=chosen))
