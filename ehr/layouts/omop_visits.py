"""Which of OMOP's visits are admissions, and who the patients are."""

from __future__ import annotations

from ehr.errors import InputError
from ehr.files import JsonValue
from ehr.tables import Table, Workspace

_OLDEST = 120
_SHIFTED = 91
"""Age of those whom the source made 300 years old, so that nobody is known by it (MIMIC-IV writes 91)."""


def moment_sql(name: str, *, last: bool = False) -> str:
    """Give the SQL expression of a time that has a column ``_datetime``, or ``_date`` alone."""
    day = f"try_cast({name}_date AS TIMESTAMP)"
    return f"coalesce(try_cast({name}_datetime AS TIMESTAMP), {day}{' + INTERVAL 1 DAY' if last else ''})"


def load_admissions(workspace: Workspace, person: Table, visit: Table, counts: dict[str, JsonValue]) -> None:
    """Fill ``stay`` with the visits that are admissions.

    Args:
        workspace: with ``visit_kind`` and ``concept``.
        person: the table ``person``.
        visit: the table ``visit_occurrence``.
        counts: given how many visits of which kind are none.

    Raises:
        InputError: where none is; says what kinds of visits there are.
    """
    visits = visit.sql(
        ("visit_occurrence_id", "person_id", "visit_concept_id"),
        (
            "visit_start_date",
            "visit_start_datetime",
            "visit_end_date",
            "visit_end_datetime",
            "admitted_from_source_value",
            "admitting_source_value",
        ),
    )
    workspace.run(
        f"""
        INSERT INTO stay
        WITH once AS ({_once_sql(visits)}), people AS ({_people_sql(person)}), aged AS (
            SELECT o.*, p.sex, date_sub('year', p.birth, o.start) AS years
            FROM once o LEFT JOIN people p USING (person_id)
        )
        SELECT row_number() OVER (ORDER BY visit_occurrence_id) - 1, visit_occurrence_id, person_id,
               CASE WHEN years > {_OLDEST} THEN {_SHIFTED} WHEN years >= 0 THEN years END, nullif(sex, ''),
               coalesce(c.name, aged.name), coalesce(admitted_from_source_value, admitting_source_value),
               CASE WHEN finish >= start THEN date_diff('second', start, finish) / 3600.0 END,
               NULL, start, finish, start
        FROM aged LEFT JOIN concept c ON c.concept_id = aged.visit_concept_id
        """,  # noqa: S608
        tables=(person, visit),
    )
    _count_others(workspace, visit, visits, counts)


def _once_sql(visits: str) -> str:
    """Give the query of visits that are admissions, each id once: of an inpatient kind, or over a night."""
    return f"""
        SELECT g.*, k.name
        FROM (
            SELECT *, {moment_sql("visit_start")} AS start, {moment_sql("visit_end", last=True)} AS finish
            FROM {visits} WHERE visit_occurrence_id IS NOT NULL AND person_id IS NOT NULL
        ) g JOIN visit_kind k ON k.concept_id = g.visit_concept_id
        WHERE k.admission = 'yes' OR finish - start >= INTERVAL 12 HOUR
           AND coalesce(try_cast(visit_end_date AS TIMESTAMP), finish)::DATE > g.start::DATE
        QUALIFY row_number() OVER (PARTITION BY visit_occurrence_id ORDER BY start, finish, person_id) = 1
    """  # noqa: S608


def _people_sql(person: Table) -> str:
    """Give the query of each person's birth and sex, each id once."""
    people = person.sql(
        ("person_id",),
        (
            "gender_concept_id",
            "gender_source_value",
            "birth_datetime",
            "year_of_birth",
            "month_of_birth",
            "day_of_birth",
        ),
    )
    return f"""
        SELECT person_id, coalesce(try_cast(birth_datetime AS TIMESTAMP), make_timestamp(
                   try_cast(year_of_birth AS INTEGER), coalesce(try_cast(month_of_birth AS INTEGER), 1),
                   coalesce(try_cast(day_of_birth AS INTEGER), 1), 0, 0, 0)) AS birth,
               CASE gender_concept_id WHEN '8532' THEN 'F' WHEN '8507' THEN 'M'
                    ELSE regexp_extract(upper(gender_source_value), '^(F|M)', 1) END AS sex
        FROM {people}
        QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY birth, sex) = 1
    """  # noqa: S608


def _count_others(workspace: Workspace, visit: Table, visits: str, counts: dict[str, JsonValue]) -> None:
    rows = workspace.frame(
        f"SELECT coalesce(visit_concept_id, 'none') AS kind, count(*) AS n FROM {visits} g "  # noqa: S608
        "ANTI JOIN stay s ON s.admission_id = g.visit_occurrence_id GROUP BY kind ORDER BY n DESC, kind",
        tables=(visit,),
    )
    others: dict[str, JsonValue] = dict(rows.iter_rows())
    counts["visits_that_are_no_admissions"] = others
    if workspace.frame("SELECT count(*) FROM stay").item() == 0:
        kinds = ", ".join(list(others)[:8]) or "no visit at all"
        raise InputError(
            f"no admissions among the visits; expected visit_concept_id 9201 or 262, found {kinds}",
            where=visit.paths[0],
            remedy="put concept_ancestor beside it if those are kinds of inpatient visits",
        )
