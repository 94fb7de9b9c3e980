"""The reader of OMOP CDM 5.4, on tables made here with the columns that OHDSI publishes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.hospital import WORK_TABLES
from ehr.ingest import ingest
from ehr.layouts.omop import Omop
from ehr.tables import Workspace
from tests.ehr.ingested import admission, check_resumed, counts, rounded
from tests.ehr.omop_builder import P1, VISITS, OmopBuilder, concept, condition, maps, measured, visit

ICD = [
    concept(1, "ICD10CM", "N17.9", standard_concept=""),
    concept(2, "ICD9CM", "428.0", standard_concept=""),
    concept(3, "ICD10CM", "N17.0", standard_concept=""),
    concept(4, "ICD10CM", "R34", standard_concept=""),
    concept(197320, "SNOMED", "14669001", "Acute renal failure syndrome"),
    concept(444044, "SNOMED", "35455006", "Acute tubular necrosis"),
    concept(999, "SNOMED", "1", "Some kind of acute tubular necrosis"),
    concept(313217, "SNOMED", "49436004", "Atrial fibrillation"),
    concept(0, "None", "No matching concept"),
]


@pytest.fixture
def omop(tmp_path: Path) -> OmopBuilder:
    made = OmopBuilder(tmp_path / "omop")
    made.base()
    made.write("measurement", [])
    return made


@pytest.fixture
def run(omop: OmopBuilder, tmp_path: Path) -> Callable[..., Cohort]:
    return partial(ingest, omop.root, tmp_path / "cohort")


@pytest.fixture
def loaded(omop, tmp_path: Path):  # type: ignore[no-untyped-def]
    """The work tables after the admissions were read, and the counts."""
    (tmp_path / "scratch").mkdir()
    workspace = Workspace(tmp_path / "scratch")
    for table in WORK_TABLES:
        workspace.run(f"CREATE TABLE {table}")

    def load() -> tuple[Workspace, dict[str, object]]:
        counts: dict[str, object] = {}
        Omop(omop.root).load_stays(workspace, counts)  # type: ignore[arg-type]
        return workspace, counts

    yield load
    workspace.close()


def codes(cohort: Cohort, key: str = "-11") -> list[tuple[str, str]]:
    return cohort.table("codes").filter(pl.col("admission_id") == key).select("system", "code").rows()


def test_people_and_visits(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run()
    assert cohort.ids() == ("-11", "12", "21", "31")
    first = admission(cohort, "-11")
    assert (first["patient_id"], first["age"], first["sex"]) == (str(P1), 59.0, "F"), "a day before the birthday"
    assert first["length_of_stay_hours"] == 96.0
    assert admission(cohort, "12")["age"] == 61.0
    second = admission(cohort, "21")
    assert (second["age"], second["sex"]) == (91.0, "M"), "an age of 312 hides one over 89; sex by its source value"
    assert second["length_of_stay_hours"] == 72.0, "dates alone: until the end of the last day"
    assert admission(cohort, "31")["age"] == 22.0


@pytest.mark.parametrize("how", ["upper", "parquet", "gz", "tabs"])
def test_every_way_the_files_are_written(omop, run, how: str) -> None:  # type: ignore[no-untyped-def]
    before = run()
    for path in omop.root.iterdir():
        path.unlink()
    options = {"parquet": {"suffix": ".parquet"}, "tabs": {"suffix": ".tab.csv"}, "upper": {"upper": True}, "gz": {}}[
        how
    ]
    omop.base(**options)
    omop.write("measurement", [], **options)
    if how == "gz":
        import gzip

        for path in list(omop.root.iterdir()):
            path.with_name(path.name.upper() + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    assert run().table("admissions").equals(before.table("admissions"))


def test_which_visits_are_admissions(omop, run) -> None:  # type: ignore[no-untyped-def]
    more = [
        visit(40, 2, "2014-01-01 08:00:00", "2014-01-01 20:00:00", 8870),
        visit(41, 2, "2014-02-01 08:00:00", "2014-02-02 20:00:00", 8870),
        visit(42, 2, "2014-03-01 23:00:00", "2014-03-02 02:00:00", 9203),
        visit(43, 2, "2014-04-01", "2014-04-01", 9203),
        visit(44, 2, "2014-05-01 08:00:00", "2014-05-09 08:00:00", 9202),
        visit(45, 2, "2014-06-01 08:00:00", "2014-06-02 08:00:00", 32037),
    ]
    omop.write("visit_occurrence", [*VISITS, *more])
    assert run().ids() == ("-11", "12", "21", "31", "41")
    dropped = run().manifest["tables"]["admissions"]["visits_that_are_no_admissions"]
    assert dropped == {"32037": 1, "8870": 1, "9202": 1, "9203": 2}
    ancestor = {"ancestor_concept_id": 9201, "descendant_concept_id": 32037, "min_levels_of_separation": 1}
    omop.write("concept_ancestor", [ancestor])
    assert "45" in run().ids(), "intensive care stands below inpatient in the vocabulary"


def test_icd_source_concepts(omop, run) -> None:  # type: ignore[no-untyped-def]
    omop.write("concept", ICD)
    rows = [
        condition(1, -11, 197320, "N179", condition_source_concept_id=1, condition_type_concept_id=32821),
        condition(2, -11, 444044, "N179", condition_source_concept_id=1, condition_type_concept_id=32821),
        condition(3, 12, 0, "4280", condition_source_concept_id=2),
        condition(4, 99, 0, "4280", condition_source_concept_id=2),
    ]
    omop.write("condition_occurrence", rows)
    cohort = run()
    assert codes(cohort) == [("ICD10CM", "N179")], "one code that maps to two concepts stands in two rows"
    assert admission(cohort, "-11")["labels"] == ["CCS:157"] and admission(cohort, "12")["labels"] == ["CCS:108"]
    assert cohort.manifest["tables"]["admissions"]["conditions_outside_admissions"] == 1  # type: ignore[index,call-overload]


def test_icd_by_form_where_there_is_no_vocabulary(omop, run) -> None:  # type: ignore[no-untyped-def]
    rows = [
        condition(1, -11, 197320, "N179"),
        condition(2, -11, 5, "V4581"),
        condition(3, 12, 5, "4280"),
        condition(4, 12, 5, "V4581"),
        condition(5, 12, 5, "ICD10CM:N17.9"),
        condition(6, 12, 5, "AF (Atrial Fibrillation)"),
        condition(7, 12, 5, "14669001"),
    ]
    omop.write("condition_occurrence", rows)
    cohort = run()
    assert codes(cohort) == [("ICD10CM", "N179"), ("ICD10CM", "V4581")]
    assert set(codes(cohort, "12")) == {("ICD9CM", "4280"), ("ICD9CM", "V4581"), ("ICD10CM", "N179")}
    assert cohort.manifest["tables"]["admissions"]["conditions_without_code"] == 2  # type: ignore[index,call-overload]


def test_charted_rhythms_are_no_diagnoses(omop, loaded) -> None:  # type: ignore[no-untyped-def]
    omop.write("concept", ICD)
    rows = [
        condition(1, -11, 197320, "N179", condition_source_concept_id=1, condition_type_concept_id=32821),
        condition(2, -11, 313217, "AF (Atrial Fibrillation)", condition_type_concept_id=32817),
        condition(3, -11, 313217, "AF", condition_type_concept_id=32821),
    ]
    omop.write("condition_occurrence", rows)
    workspace, counts = loaded()
    assert counts["conditions_charted"] == 1
    found = workspace.frame("SELECT code, version FROM diagnosis ORDER BY ALL").rows()
    assert found == [("49436004", "SNOMEDCT"), ("N17.9", "10")]


def test_conditions_of_type_ehr_count_where_nothing_was_billed(omop, loaded) -> None:  # type: ignore[no-untyped-def]
    omop.write("concept", ICD)
    omop.write("condition_occurrence", [condition(1, -11, 313217, "", condition_type_concept_id=32817)])
    workspace, counts = loaded()
    assert counts["conditions_charted"] == 0
    assert workspace.frame("SELECT code FROM diagnosis").item() == "49436004"


def test_snomed_through_the_vocabulary(omop, loaded) -> None:  # type: ignore[no-untyped-def]
    omop.write("concept", ICD, suffix=".tab.csv")
    relations = [
        maps(1, 197320),
        maps(444044, 3, "Mapped from"),
        maps(4, 197320, invalid_reason="D"),
        maps(2, 197320, "Is a"),
    ]
    omop.write("concept_relationship", relations, suffix=".tab.csv")
    levels = ((444044, 1), (197320, 2))
    ancestors = [
        {"ancestor_concept_id": up, "descendant_concept_id": 999, "min_levels_of_separation": n} for up, n in levels
    ]
    omop.write("concept_ancestor", ancestors)
    rows = [condition(1, -11, 197320, "kidney"), condition(2, -11, 999, ""), condition(3, 12, 313217, "")]
    omop.write("condition_occurrence", rows)
    workspace, _ = loaded()
    mapped = workspace.frame("SELECT * FROM code_map ORDER BY ALL").rows()
    assert mapped == [("1", "SNOMEDCT", "N17.0", "10"), ("14669001", "SNOMEDCT", "N17.9", "10")]
    assert workspace.frame("SELECT code FROM diagnosis ORDER BY ALL")["code"].to_list() == ["1", "14669001", "49436004"]


def test_conditions_without_a_visit_go_by_their_time(omop, loaded) -> None:  # type: ignore[no-untyped-def]
    rows = [
        condition(1, "", 0, "N179", condition_start_date="2010-06-16"),
        condition(2, "", 0, "N170", condition_start_datetime="2009-06-16 10:00:00"),
    ]
    omop.write("condition_occurrence", rows)
    workspace, counts = loaded()
    assert workspace.frame("SELECT code FROM diagnosis").rows() == [("N179",)]
    assert counts["conditions_outside_admissions"] == 1


def test_measurements(omop, run) -> None:  # type: ignore[no-untyped-def]
    at = "2010-06-14 12:00:00"
    omop.write(
        "concept", [concept(55, "LOINC", "2823-3"), concept(8876, "UCUM", "mm[Hg]"), concept(66, "LOINC", "8310-5")]
    )
    rows = [
        measured(-5, -11, 3016723, at, 1.5, unit_source_value="mg/dL", range_low=0.5, range_high=1.2),
        measured(2, -11, 0, at, 4.5, measurement_source_concept_id=55, unit_source_value="mEq/L"),
        measured(3, -11, 0, at, 80, measurement_source_value="8867-4", unit_source_value="bpm"),
        measured(4, -11, 3004249, at, 120, unit_concept_id=8876),
        measured(5, -11, 3012888, at, 10, unit_source_value="kPa"),
        measured(6, -11, 66, at, 98.6, unit_source_value="°F"),
        measured(7, -11, 66, "2010-06-14 13:00:00", 98.6, unit_source_value="C"),
        measured(8, -11, 3027018, at, 0),
        measured(9, -11, 4711, at, 7, measurement_source_value="50912"),
        measured(10, -11, 3004501, "2010-06-15", 140, unit_source_value="made up", unit_concept_id=0),
        measured(11, -11, 3019550, "2010-06-15", 140, unit_source_value="made up", unit_concept_id=8753),
    ]
    omop.write("measurement", rows)
    cohort = run()
    assert rounded(cohort, "-11") == {
        "LOINC:2160-0": [(2.0, 1.5)],
        "LOINC:2823-3": [(2.0, 4.5)],
        "LOINC:8310-5": [(2.0, 37.0), (3.0, 37.0)],
        "LOINC:8462-4": [(2.0, 75.006)],
        "LOINC:8480-6": [(2.0, 120.0)],
        "LOINC:8867-4": [(2.0, 80.0)],
    }
    assert (counts(cohort)["implausible"], counts(cohort)["unknown_unit"]) == (1, 2)
    row = cohort.table("series").filter(pl.col("code") == "LOINC:2160-0").row(0, named=True)
    assert (row["source_row"], row["reference_low"], row["reference_high"]) == ("measurement:-5", 0.5, 1.2)


def test_operators_and_values_that_are_no_numbers(omop, run) -> None:  # type: ignore[no-untyped-def]
    def row(key: int, hour: int, value: object = "", **more: object) -> dict[str, object]:
        return measured(key, -11, 3016723, f"2010-06-14 {hour}:00:00", value, unit_source_value="mg/dL", **more)

    rows = [
        row(1, 11, 0.2, operator_concept_id=4171756),
        row(2, 12, 20, operator_concept_id=4171755),
        row(3, 13, 1.1, operator_concept_id=4172703),
        row(4, 14, "", value_source_value="<0.5"),
        row(5, 15, "", value_source_value="1.4"),
        row(6, 16, "", value_source_value="NEG"),
        row(7, 17, "", value_source_value="HOLD"),
        row(8, 18, "", value_source_value="0-2"),
    ]
    omop.write("measurement", rows)
    cohort = run()
    assert rounded(cohort, "-11")["LOINC:2160-0"] == [(1.0, 0.2), (2.0, 20.0), (3.0, 1.1), (4.0, 0.5), (5.0, 1.4)]
    assert (counts(cohort)["no_number"], counts(cohort)["kept_at_detection_limit"]) == (3, 3)


def test_measurements_outside_the_visits_that_are_admissions(omop, run) -> None:  # type: ignore[no-untyped-def]
    omop.write("visit_occurrence", [*VISITS, visit(50, P1, "2010-06-15 00:00:00", "2010-06-15 01:00:00", 9202)])
    rows = [
        measured(1, 50, 3016723, "2010-06-15 00:30:00", 1.0, unit_source_value="mg/dL"),
        measured(2, "", 3016723, "2010-06-15 02:00:00", 2.0, unit_source_value="mg/dL"),
        measured(3, "", 3016723, "2010-06-13 02:00:00", 3.0, unit_source_value="mg/dL"),
        measured(4, -11, 3016723, "2010-06-13 02:00:00", 4.0, unit_source_value="mg/dL"),
        measured(5, -11, 3016723, "", 5.0, unit_source_value="mg/dL"),
    ]
    omop.write("measurement", rows)
    cohort = run()
    assert rounded(cohort, "-11")["LOINC:2160-0"] == [(-32.0, 4.0), (14.5, 1.0), (16.0, 2.0)]
    assert (counts(cohort)["outside_admissions"], counts(cohort)["no_time"]) == (1, 1)


def test_drugs_and_notes(omop, run) -> None:  # type: ignore[no-untyped-def]
    omop.write(
        "concept",
        [
            concept(956874, "RxNorm", "4603", "furosemide 40 MG Oral Tablet"),
            concept(7, "LOINC", "18842-5", "Discharge summary"),
        ],
    )
    drug = {"person_id": P1, "visit_occurrence_id": -11, "drug_exposure_start_datetime": "2010-06-14 11:00:00"}
    drugs = [
        {**drug, "drug_exposure_id": -7, "drug_concept_id": 956874, "drug_source_value": "0054429725"},
        {**drug, "drug_exposure_id": 8, "drug_concept_id": 0, "drug_source_value": "Heparin (Porcine)"},
        {**drug, "drug_exposure_id": 9, "drug_concept_id": 0, "drug_source_value": "4711"},
    ]
    omop.write("drug_exposure", drugs)
    text = "Chief Complaint:\nshort of breath\n\nDischarge Diagnosis:\nheart failure\n"
    note = {"person_id": P1, "visit_occurrence_id": -11, "note_datetime": "2010-06-18 09:00:00", "note_text": text}
    other = text.replace("short of breath", "another note")
    notes = [
        {**note, "note_id": 1, "note_class_concept_id": 7, "note_date": "2010-06-18"},
        {**note, "note_id": 2, "note_title": "Radiology report", "note_text": other, "note_datetime": "2010-06-19"},
        {**note, "note_id": 3, "note_title": "Discharge summary", "visit_occurrence_id": 12, "note_text": other},
    ]
    omop.write("note", notes)
    cohort = run()
    found = cohort.table("medications").select("name", "hours", "source_row").rows()
    assert found == [("furosemide", 1.0, "drug_exposure:-7"), ("heparin", 1.0, "drug_exposure:8")]
    told = dict(cohort.table("notes").filter(pl.col("origin") == "note").select("admission_id", "text").iter_rows())
    assert told == {"-11": "short of breath", "12": "another note"}


def test_the_custom_concepts_of_the_mimic_demo(omop, run) -> None:  # type: ignore[no-untyped-def]
    omop.write(
        "2b_concept", [concept(2000030001, "mimiciv_meas_chart", "220045"), concept(2000000001, "LOINC", "8867-4")]
    )
    rows = [measured(1, -11, 2000000001, "2010-06-14 11:00:00", 70, unit_source_value="bpm")]
    omop.write("measurement", rows)
    assert rounded(run(), "-11") == {"LOINC:8867-4": [(1.0, 70.0)]}


def test_the_same_tables_give_the_same_rows(omop, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows = [measured(k, -11, 3016723, "2010-06-14 11:00:00", v, unit_source_value="mg/dL") for k, v in ((2, 2), (1, 1))]
    omop.write("measurement", rows)
    omop.write("condition_occurrence", [condition(k, -11, 0, c) for k, c in enumerate(("N179", "I10", "R34"))])
    first, second = run(), ingest(omop.root, tmp_path / "again")
    for name in ("admissions", "series", "codes", "notes", "medications"):
        assert first.table(name).equals(second.table(name))
    assert counts(first)["same_time"] == 1 and rounded(first, "-11")["LOINC:2160-0"] == [(1.0, 1.0)]


def test_tables_that_are_not_there_are_named(omop, run) -> None:  # type: ignore[no-untyped-def]
    absent = run().manifest["source"]["absent"]  # type: ignore[index,call-overload]
    assert {"note", "drug_exposure", "concept", "concept_ancestor"} <= set(absent)


def test_no_admissions(omop, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    omop.write("visit_occurrence", [visit(1, P1, "2010-01-01", "2010-01-03", 9202)])
    with pytest.raises(InputError, match=r"visit_occurrence\.csv: no admissions .* expected .*9201 or 262, found 9202"):
        run()
    assert not (tmp_path / "cohort").exists()


def test_a_missing_column_or_table(omop, run) -> None:  # type: ignore[no-untyped-def]
    omop.write("visit_occurrence", [], columns="visit_occurrence_id,person_id")
    with pytest.raises(InputError, match="visit_concept_id"):
        run()
    (omop.root / "visit_occurrence.csv").unlink()
    with pytest.raises(InputError, match=r"visit_occurrence\.csv"):
        run(layout="omop")


def test_a_snomed_code_bears_what_half_of_its_icd_codes_do(omop, run) -> None:  # type: ignore[no-untyped-def]
    omop.write("concept", ICD)
    half = [maps(1, 197320), maps(4, 197320)]
    third = [maps(1, 313217), maps(4, 313217), maps(5, 313217)]
    omop.write("concept", [*ICD, concept(5, "ICD10CM", "R50.9")])
    omop.write("concept_relationship", [*half, *third])
    omop.write("condition_occurrence", [condition(1, -11, 197320), condition(2, 12, 313217)])
    cohort = run()
    assert admission(cohort, "-11")["labels"] == ["CCS:157"] and admission(cohort, "12")["labels"] == []
    assert codes(cohort) == [("SNOMEDCT", "14669001")]


def test_nothing_after_the_cut_off(omop, run) -> None:  # type: ignore[no-untyped-def]
    times = ("2010-06-14 11:00:00", "2010-06-15 11:00:00", "2010-06-18 11:00:00")
    rows = [measured(n, -11, 3016723, time, 1.0, unit_source_value="mg/dL") for n, time in enumerate(times)]
    omop.write("measurement", rows)
    assert rounded(run(until="24h"), "-11")["LOINC:2160-0"] == [(1.0, 1.0)]
    assert len(rounded(run(), "-11")["LOINC:2160-0"]) == 2, "a value after discharge is none of the stay"


def test_athenas_names_with_quotes(omop, loaded) -> None:  # type: ignore[no-untyped-def]
    rows = [concept(1, "ICD10CM", "N17.9", 'kidney "failure'), concept(197320, "SNOMED", "14669001", 'acute 5" x')]
    omop.write("concept", rows, suffix=".tab.csv")
    omop.write("concept_relationship", [maps(1, 197320)], suffix=".tab.csv")
    omop.write("condition_occurrence", [condition(1, -11, 197320)])
    workspace, _ = loaded()
    assert workspace.frame("SELECT * FROM code_map").rows() == [("14669001", "SNOMEDCT", "N17.9", "10")]


def test_it_goes_on_where_a_run_was_stopped(omop, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    omop.write("measurement", [measured(1, -11, 3016723, "2010-06-14 11:00:00", 1.5, unit_source_value="mg/dL")])
    drug = {"person_id": P1, "visit_occurrence_id": -11, "drug_exposure_start_datetime": "2010-06-14 11:00:00"}
    omop.write("drug_exposure", [{**drug, "drug_exposure_id": 1, "drug_concept_id": 0, "drug_source_value": "Heparin"}])
    whole = ingest(omop.root, tmp_path / "whole")
    check_resumed(run, Omop, whole, monkeypatch)


def test_every_value_is_traced_to_its_row(omop, run) -> None:  # type: ignore[no-untyped-def]
    from ehr.trace import trace

    rows = [measured(-n, -11, 3016723, f"2010-06-14 1{n}:00:00", n, unit_source_value="mg/dL") for n in (1, 2)]
    omop.write("measurement", rows, suffix=".parquet")
    (omop.root / "measurement.csv").unlink()
    found = trace(run(), "-11", "creatinine")
    assert [(row["value"], row["record"]["measurement_id"]) for row in found] == [(1.0, "-1"), (2.0, "-2")]  # type: ignore[index]


def test_any_loinc_code_as_a_series(omop, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "series.csv").write_text("code,unit\n2532-0,U/L\n2339-0,mg/dL\n")
    omop.write("concept", [concept(3016436, "LOINC", "2532-0", "LDH"), concept(3000483, "LOINC", "2339-0", "glucose")])
    at = "2010-06-14 11:00:00"
    omop.write(
        "measurement", [measured(1, -11, 3016436, at, 250, unit_source_value="IU/L"), measured(2, -11, 3000483, at, 99)]
    )
    found = rounded(run(series=str(tmp_path / "series.csv")), "-11")
    assert found == {"LOINC:2339-0": [(1.0, 99.0)], "LOINC:2532-0": [(1.0, 250.0)]}
