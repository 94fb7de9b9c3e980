"""Writes small OMOP CDM 5.4 data sets, with the columns of OHDSI's definition (inst/ddl/5.4)."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, object]

COLUMNS = {
    "person": (
        "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime,race_concept_id,"
        "ethnicity_concept_id,location_id,provider_id,care_site_id,person_source_value,gender_source_value,"
        "gender_source_concept_id,race_source_value,race_source_concept_id,ethnicity_source_value,"
        "ethnicity_source_concept_id"
    ),
    "visit_occurrence": (
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,"
        "visit_end_datetime,visit_type_concept_id,provider_id,care_site_id,visit_source_value,visit_source_concept_id,"
        "admitted_from_concept_id,admitted_from_source_value,discharged_to_concept_id,discharged_to_source_value,"
        "preceding_visit_occurrence_id"
    ),
    "condition_occurrence": (
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_start_datetime,"
        "condition_end_date,condition_end_datetime,condition_type_concept_id,condition_status_concept_id,stop_reason,"
        "provider_id,visit_occurrence_id,visit_detail_id,condition_source_value,condition_source_concept_id,"
        "condition_status_source_value"
    ),
    "drug_exposure": (
        "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date,drug_exposure_start_datetime,"
        "drug_exposure_end_date,drug_exposure_end_datetime,verbatim_end_date,drug_type_concept_id,stop_reason,refills,"
        "quantity,days_supply,sig,route_concept_id,lot_number,provider_id,visit_occurrence_id,visit_detail_id,"
        "drug_source_value,drug_source_concept_id,route_source_value,dose_unit_source_value"
    ),
    "measurement": (
        "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,measurement_time,"
        "measurement_type_concept_id,operator_concept_id,value_as_number,value_as_concept_id,unit_concept_id,range_low,"
        "range_high,provider_id,visit_occurrence_id,visit_detail_id,measurement_source_value,"
        "measurement_source_concept_id,unit_source_value,unit_source_concept_id,value_source_value,"
        "measurement_event_id,meas_event_field_concept_id"
    ),
    "note": (
        "note_id,person_id,note_date,note_datetime,note_type_concept_id,note_class_concept_id,note_title,note_text,"
        "encoding_concept_id,language_concept_id,provider_id,visit_occurrence_id,visit_detail_id,note_source_value,"
        "note_event_id,note_event_field_concept_id"
    ),
    "concept": (
        "concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,"
        "valid_start_date,valid_end_date,invalid_reason"
    ),
    "concept_relationship": (
        "concept_id_1,concept_id_2,relationship_id,valid_start_date,valid_end_date,invalid_reason"
    ),
    "concept_ancestor": ("ancestor_concept_id,descendant_concept_id,min_levels_of_separation,max_levels_of_separation"),
}

PEOPLE = [
    {
        "person_id": -9223372036854775807,
        "gender_concept_id": 8532,
        "year_of_birth": 1950,
        "birth_datetime": "1950-06-15",
    },
    {"person_id": 2, "gender_concept_id": 0, "gender_source_value": "Male", "year_of_birth": 1700},
    {"person_id": 3, "gender_concept_id": 8507, "year_of_birth": 1990, "month_of_birth": 12, "day_of_birth": 24},
]
P1 = PEOPLE[0]["person_id"]


def visit(key: int, person: object, start: str, end: str, kind: int = 9201, **more: object) -> Row:
    row = {"visit_occurrence_id": key, "person_id": person, "visit_concept_id": kind}
    for name, time in (("start", start), ("end", end)):
        row[f"visit_{name}_date"] = time[:10]
        row[f"visit_{name}_datetime"] = time if len(time) > 10 else ""
    return {**row, **more}


def condition(key: int, place: int | str, concept: int = 0, source: str = "", **more: object) -> Row:
    row = {"condition_occurrence_id": key, "person_id": P1, "visit_occurrence_id": place}
    return {**row, "condition_concept_id": concept, "condition_source_value": source, **more}


def measured(key: int, place: int | str, concept: int, time: str, value: object = "", **more: object) -> Row:
    row = {"measurement_id": key, "person_id": P1, "visit_occurrence_id": place, "measurement_concept_id": concept}
    when = {"measurement_date": time[:10], "measurement_datetime": time if len(time) > 10 else ""}
    return {**row, **when, "value_as_number": value, **more}


VISITS = [
    visit(-11, P1, "2010-06-14 10:00:00", "2010-06-18 10:00:00", visit_type_concept_id=32817),
    visit(12, P1, "2011-06-15 00:00:00", "2011-06-17 00:00:00", 262, admitted_from_source_value="EMERGENCY ROOM"),
    visit(21, 2, "2012-01-01", "2012-01-03"),
    visit(31, 3, "2013-12-23 22:00:00", "2013-12-25 08:00:00"),
]


class OmopBuilder:
    """Writes tables as CSV, as Athena's tab-separated files, or as Parquet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def write(
        self, name: str, rows: Sequence[Row], *, suffix: str = ".csv", upper: bool = False, columns: str | None = None
    ) -> Path:
        names = (columns or COLUMNS[name.lower().removeprefix("2b_")]).split(",")
        path = self.root / f"{name}{suffix}"
        full = [[row.get(column, "") for column in names] for row in rows]
        header = [column.upper() if upper else column for column in names]
        if suffix == ".parquet":
            cells = [[None if cell == "" else cell for cell in column] for column in zip(*full, strict=True)] or [
                []
            ] * len(names)
            pq.write_table(pa.table(dict(zip(header, cells, strict=True))), path)
            return path
        text = io.StringIO()
        tabs = suffix == ".tab.csv"
        writer = csv.writer(
            text,
            delimiter="\t" if tabs else ",",
            lineterminator="\n",
            quoting=csv.QUOTE_NONE if tabs else 0,
            quotechar=None if tabs else '"',
        )
        writer.writerows([header, *full])
        path = self.root / f"{name}.csv" if tabs else path
        path.write_text(text.getvalue())
        return path

    def base(self, **options: object) -> None:
        self.write("person", PEOPLE, **options)  # type: ignore[arg-type]
        self.write("visit_occurrence", VISITS, **options)  # type: ignore[arg-type]
        self.write("condition_occurrence", [condition(100, 31, 0, "I509")], **options)  # type: ignore[arg-type]


def concept(key: int, vocabulary: str, code: str, name: str = "x", **more: object) -> Row:
    row = {"concept_id": key, "vocabulary_id": vocabulary, "concept_code": code, "concept_name": name}
    return {**row, "domain_id": "x", "concept_class_id": "x", "standard_concept": "S", **more}


def maps(source: int, target: int, relation: str = "Maps to", **more: object) -> Row:
    return {"concept_id_1": source, "concept_id_2": target, "relationship_id": relation, **more}
