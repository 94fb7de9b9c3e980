"""The rows of a cohort's MEDS data set: where on the line of time each admission lies, and what happened in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import pyarrow as pa
from meds import schema as meds

from ehr.cohort import Cohort
from ehr.workspace import Workspace, quote

SPLIT_NAMES = {"train": meds.train_split, "dev": meds.tuning_split, "test": meds.held_out_split}
"""The standard's names of our splits; others keep their own."""

_EPOCH = datetime(2000, 1, 1)
_GAP = timedelta(days=30)
_INT64 = range(-(2**63), 2**63)
_HEADINGS = {
    "chief_complaint": "Chief Complaint",
    "history_of_present_illness": "History of Present Illness",
    "past_medical_history": "Past Medical History",
    "family_history": "Family History",
    "social_history": "Social History",
    "medications_on_admission": "Medications on Admission",
    "physical_exam": "Physical Exam",
    "hospital_course": "Hospital Course",
}
# Static rows, then what opens a stay, what happens in it, and what closes it, where they have one time.
_RANKS = {"birth": 0, "admission": 1, "told": 2, "happened": 3, "diagnosis": 4, "discharge": 5}
_PLACED = pl.Schema(
    {
        "admission_id": pl.String(),
        "patient_id": pl.String(),
        "subject_id": pl.Int64(),
        "split": pl.String(),
        "own_split": pl.String(),
        "start": pl.Datetime("us"),
        "finish": pl.Datetime("us"),
        "age": pl.Float64(),
        "sex": pl.String(),
        "admission_type": pl.String(),
        "year_group": pl.String(),
    }
)
_COLUMNS = (
    "split VARCHAR, subject_id BIGINT, time TIMESTAMP, code VARCHAR, numeric_value FLOAT, text_value VARCHAR, "
    "visit VARCHAR, unit VARCHAR, reference_low DOUBLE, reference_high DOUBLE, sequence INTEGER, source_row VARCHAR, "
    "patient_id VARCHAR, rank INTEGER"
)


@dataclass(frozen=True)
class Place:
    """Who the subjects are and which columns their rows have.

    Attributes:
        subjects: ``subject_id``, ``patient_id``, ``split`` (the standard's name), ``own_split``.
        schema: of every shard.
    """

    subjects: pl.DataFrame
    schema: pa.Schema


def _are_integers(ids: list[str]) -> bool:
    """Say whether each id is an integer of 64 bits, written as Python writes it."""
    return all(text.lstrip("-").isdecimal() and int(text) in _INT64 and str(int(text)) == text for text in ids)


def place_admissions(cohort: Cohort, workspace: Workspace, admissions: pl.DataFrame) -> Place:
    """Fill ``placed``: each admission with its subject, split and pseudo-date."""
    patients = sorted(set(admissions["patient_id"]))
    numbered = not _are_integers(patients)
    subject_of = {p: n if numbered else int(p) for n, p in enumerate(patients, start=1)}
    spans = _spans(cohort, workspace)
    rows: list[tuple[object, ...]] = []
    clock: dict[str, datetime] = {}
    order = admissions.sort(pl.col("age").fill_null(-1.0), "admission_id")
    for row in order.iter_rows(named=True):
        patient, stay = row["patient_id"], row["length_of_stay_hours"]
        first, last = spans.get(row["admission_id"], (0.0, 0.0))
        start = _EPOCH
        if patient in clock:
            start = (clock[patient] + _GAP - timedelta(hours=min(first, 0.0))).replace(
                minute=0, second=0, microsecond=0
            )
        finish = None if stay is None else start + timedelta(seconds=round(stay * 3600))
        clock[patient] = max(start + timedelta(hours=max(last, 0.0)), finish or start)
        split = SPLIT_NAMES.get(row["split"], row["split"])
        values = (row["age"], row["sex"], row["admission_type"], row["year_group"])
        rows.append((row["admission_id"], patient, subject_of[patient], split, row["split"], start, finish, *values))
    placed = pl.DataFrame(rows, schema=_PLACED, orient="row")
    workspace.run(
        "CREATE TABLE placed (admission_id VARCHAR, patient_id VARCHAR, subject_id BIGINT, split VARCHAR, "
        "own_split VARCHAR, start TIMESTAMP, finish TIMESTAMP, age DOUBLE, sex VARCHAR, admission_type VARCHAR, "
        "year_group VARCHAR)"
    )
    workspace.insert("placed", placed)
    subjects = placed.select("subject_id", "patient_id", "split", "own_split").unique(maintain_order=True)
    whole = _are_integers(placed["admission_id"].to_list())
    return Place(subjects, _schema(numbered, whole))


def _schema(numbered: bool, whole: bool) -> pa.Schema:
    fields = [
        pa.field("subject_id", pa.int64()),
        pa.field("time", pa.timestamp("us")),
        pa.field("code", pa.string()),
        pa.field("numeric_value", pa.float32()),
        pa.field("text_value", pa.large_string()),
        pa.field("hadm_id", pa.int64()) if whole else pa.field("admission_id", pa.string()),
        pa.field("unit", pa.string()),
        pa.field("reference_low", pa.float64()),
        pa.field("reference_high", pa.float64()),
        pa.field("sequence", pa.int64()),
        pa.field("source_row", pa.string()),
    ]
    if numbered:
        fields.append(pa.field("patient_id", pa.string()))
    return pa.schema(fields)


def _file(cohort: Cohort, name: str) -> str:
    return f"read_parquet({quote(str(cohort.table_path(name)))})"


def _spans(cohort: Cohort, workspace: Workspace) -> dict[str, tuple[float, float]]:
    """Give the first and last hour of each admission that has a value or a drug."""
    parts = [
        f"SELECT admission_id, hours FROM {_file(cohort, name)} WHERE hours IS NOT NULL"  # noqa: S608
        for name in ("series", "medications")
        if cohort.table_path(name).is_file()
    ]
    if not parts:
        return {}
    rows = workspace.frame(
        f"SELECT admission_id, min(hours), max(hours) FROM ({' UNION ALL '.join(parts)}) GROUP BY admission_id"  # noqa: S608
    )
    return {admission: (first, last) for admission, first, last in rows.iter_rows()}


def create_events(cohort: Cohort, workspace: Workspace, place: Place, *, include_text: bool) -> None:
    """Fill ``event`` with all rows of the data set, clustered by split and subject."""
    visit = next(name for name in ("hadm_id", "admission_id") if name in place.schema.names)
    workspace.run(f"CREATE TABLE gathered ({_COLUMNS.replace('visit', visit)})")
    for rank, code, more, source in _statements(cohort, include_text):
        given = {"time": "p.start", "numeric_value": "NULL", "visit": "p.admission_id", **more}
        chosen = ", ".join(f"{value} AS {visit if name == 'visit' else name}" for name, value in given.items())
        who = "p.split, p.subject_id, p.patient_id"
        select = f"SELECT {who}, {code} AS code, {_RANKS[rank]} AS rank, {chosen} FROM {source}"  # noqa: S608
        workspace.run(f"INSERT INTO gathered BY NAME {select}")
    workspace.run("CREATE TABLE event AS SELECT * FROM gathered ORDER BY split, subject_id")
    workspace.run("DROP TABLE gathered")


def _statements(cohort: Cohort, include_text: bool) -> Iterator[tuple[str, str, dict[str, str], str]]:
    """Give rank, code, further columns and source of each kind of row, as texts of SQL over ``placed p``."""
    person = "(SELECT DISTINCT ON (subject_id) * FROM placed ORDER BY subject_id, start)"
    static = {"time": "NULL", "visit": "NULL"}
    born = {"time": "p.start - to_years(floor(p.age)::INTEGER)", "visit": "NULL"}
    yield "birth", "'MEDS_BIRTH'", born, f"{person} p WHERE p.age IS NOT NULL"
    yield "birth", "'GENDER//' || p.sex", static, f"{person} p WHERE p.sex IS NOT NULL"
    admitted = "'HOSPITAL_ADMISSION' || coalesce('//' || p.admission_type, '')"
    yield "admission", admitted, {}, "placed p"
    yield "discharge", "'HOSPITAL_DISCHARGE'", {"time": "p.finish"}, "placed p WHERE p.finish IS NOT NULL"
    yield "told", "'AGE'", _number("p.age"), "placed p WHERE p.age IS NOT NULL"
    yield "told", "'ADMISSION_YEAR_GROUP//' || p.year_group", {}, "placed p WHERE p.year_group IS NOT NULL"
    joined = "{} e JOIN placed p USING (admission_id)"
    if cohort.table_path("codes").is_file():
        code = "'DIAGNOSIS//ICD//' || regexp_extract(e.system, '\\d+') || '//' || e.code"
        ended = {"time": "coalesce(p.finish, p.start)", "sequence": "e.sequence"}
        source = joined.format(_file(cohort, "codes")) + " WHERE regexp_matches(e.system, '^ICD(9|10)CM$')"
        yield "diagnosis", code, ended, source
    after = "p.start + to_microseconds(round(e.hours * 3600e6)::BIGINT)"
    if cohort.table_path("series").is_file():
        ranges = {name: f"e.{name}" for name in ("unit", "reference_low", "reference_high", "source_row")}
        more = {"time": after, **_number("e.value"), **ranges}
        yield "happened", "replace(e.code, ':', '/')", more, joined.format(_file(cohort, "series"))
    if cohort.table_path("medications").is_file():
        source = joined.format(_file(cohort, "medications"))
        row = {"source_row": "e.source_row"}
        yield "told", "'MEDICATION//BEFORE_ADMISSION//' || e.name", row, f"{source} WHERE e.before_admission"
        yield (
            "happened",
            "'MEDICATION//START//' || e.name",
            {"time": after, **row},
            f"{source} WHERE NOT e.before_admission",
        )
    if include_text and cohort.table_path("notes").is_file():
        names = " ".join(f"WHEN {quote(name)} THEN {quote(title)}" for name, title in _HEADINGS.items())
        order = " ".join(f"WHEN {quote(name)} THEN {n}" for n, name in enumerate(_HEADINGS))
        text = f"string_agg(CASE section {names} END || ':\n' || text, '\n\n' ORDER BY CASE section {order} END)"
        notes = (
            f"(SELECT admission_id, {text} AS text FROM {_file(cohort, 'notes')} "  # noqa: S608
            "WHERE origin = 'note' GROUP BY admission_id)"
        )
        written = {"text_value": "e.text"}
        yield "told", "'NOTE//DISCHARGE_SUMMARY'", written, joined.format(notes) + " WHERE e.text IS NOT NULL"


def _number(value: str) -> dict[str, str]:
    """Give a number in 32 bits and, where they do not hold it, all its digits as text."""
    return {
        "numeric_value": f"{value}::FLOAT",
        "text_value": f"CASE WHEN {value}::FLOAT::VARCHAR::DOUBLE <> {value} THEN {value}::VARCHAR END",
    }
