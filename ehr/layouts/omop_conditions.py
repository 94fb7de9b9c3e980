"""Diagnoses of OMOP's ``condition_occurrence``: ICD source codes, else SNOMED through the vocabulary.

Among the conditions stand things that were charted at the bedside (heart rhythms, say). The conversion of MIMIC-IV by
OHDSI gives them the type 32817 (EHR) and what was coded at discharge the type 32821 (EHR billing record), while other
hospitals give every diagnosis the type 32817. So a condition without an ICD code and of the type EHR is taken for
charted only where the data set has conditions of a billing type.
"""

from __future__ import annotations

from collections.abc import Sequence

from ehr.files import JsonValue
from ehr.layouts.omop_concepts import ICD_VERSIONS, load_code_map
from ehr.tables import Table, Workspace

_CHARTED = "32817"
# EHR billing record, EHR billing diagnosis, claim, inpatient claim with its detail and header.
_BILLED = ("32821", "32019", "32810", "32853", "32854", "32855")
_ICD_FORM = r"^(?:\d{3}|E\d{3}|[A-Z]\d[0-9A-Z])(?:\.?[0-9A-Z]{1,4})?$"
# Codes written with their vocabulary: `ICD10CM:I10`, `ICD9CM/401.9`.
_NAMED = r"^ICD-?(9|10)(?:-?CM)?\s*[:/|]+\s*(.+)$"

_CLASSIFIED = """
    CREATE OR REPLACE TABLE condition AS
    WITH given AS (
        SELECT e.*, s.idx, coalesce(try_cast(condition_start_datetime AS TIMESTAMP),
                                    try_cast(condition_start_date AS TIMESTAMP)) AS time
        FROM {select} e LEFT JOIN stay s ON s.admission_id = e.visit_occurrence_id
    ),
    placed AS (
        SELECT g.* EXCLUDE (idx), coalesce(g.idx, t.idx) AS idx
        FROM given g
        LEFT JOIN visit v ON g.idx IS NULL AND g.visit_occurrence_id IS NULL AND v.patient_id = g.person_id
             AND g.time >= v.opens AND g.time < v.closes
        LEFT JOIN stay t ON t.admission_id = v.admission_id
    ),
    named AS (
        SELECT p.*, upper(condition_source_value) AS written, sc.code AS source_code,
               sc.vocabulary AS source_vocabulary,
               CASE sc.vocabulary {versions} END AS source_version,
               c.code AS standard_code, c.vocabulary AS standard_vocabulary,
               CASE c.vocabulary {versions} END AS standard_version
        FROM placed p
        LEFT JOIN concept sc ON sc.concept_id = p.condition_source_concept_id
        LEFT JOIN concept c ON c.concept_id = p.condition_concept_id
    )
    SELECT idx, condition_concept_id AS concept_id, condition_type_concept_id AS type, condition_occurrence_id AS row,
           CASE WHEN source_version IS NOT NULL THEN source_code
                WHEN regexp_matches(written, '{named}') THEN regexp_extract(written, '{named}', 2)
                WHEN standard_version IS NOT NULL THEN standard_code
                WHEN ({guess} OR standard_code IS NULL) AND coalesce(source_vocabulary, 'None') = 'None'
                     AND regexp_full_match(written, '{form}') THEN written END AS icd,
           CASE WHEN source_version IS NOT NULL THEN source_version
                WHEN regexp_matches(written, '{named}') THEN regexp_extract(written, '{named}', 1)
                ELSE standard_version END AS version,
           CASE WHEN standard_vocabulary = 'SNOMED' THEN standard_code END AS snomed
    FROM named
"""

# Without a vocabulary the form of a code tells: only ICD-9-CM's begin with a digit, and a stay is coded in one version.
_GUESSED = """
    UPDATE condition SET version = CASE
        WHEN regexp_matches(icd, '^\\d') THEN '9'
        WHEN regexp_matches(icd, '^[^EV]') THEN '10'
        WHEN idx IN (SELECT idx FROM condition WHERE regexp_matches(icd, '^\\d')) THEN '9'
        ELSE '10' END
    WHERE icd IS NOT NULL AND version IS NULL
"""


def load_diagnoses(
    workspace: Workspace,
    table: Table,
    relations: Sequence[Table],
    ancestors: Table | None,
    counts: dict[str, JsonValue],
) -> None:
    """Fill ``diagnosis`` and ``code_map``.

    Args:
        workspace: with ``stay``, ``visit`` and ``concept``.
        table: ``condition_occurrence``.
        relations: files of ``concept_relationship``.
        ancestors: ``concept_ancestor``, where it is there.
        counts: given what was not taken, and why.
    """
    select = table.sql(
        ("person_id", "condition_concept_id"),
        (
            "condition_occurrence_id",
            "condition_start_date",
            "condition_start_datetime",
            "condition_type_concept_id",
            "condition_source_value",
            "condition_source_concept_id",
            "visit_occurrence_id",
        ),
    )
    versions = " ".join(f"WHEN '{name}' THEN '{version}'" for name, version in ICD_VERSIONS.items())
    # A source value that looks like ICD is taken for it only where the vocabulary cannot say more.
    parts = {"select": select, "versions": versions, "named": _NAMED, "form": _ICD_FORM, "guess": not relations}
    workspace.run(_CLASSIFIED.format(**parts), tables=(table,))
    workspace.run(_GUESSED)
    billed = ", ".join(f"'{kind}'" for kind in _BILLED)
    charted = f"(icd IS NULL AND type = '{_CHARTED}' AND EXISTS (SELECT 1 FROM condition WHERE type IN ({billed})))"  # noqa: S608
    for name, what in {
        "conditions_outside_admissions": "idx IS NULL",
        "conditions_charted": f"idx IS NOT NULL AND {charted}",
        "conditions_without_code": f"idx IS NOT NULL AND NOT {charted} AND icd IS NULL AND snomed IS NULL",
    }.items():
        counts[name] = workspace.frame(f"SELECT count(*) FROM condition WHERE {what}").item()  # noqa: S608
    workspace.run(f"DELETE FROM condition WHERE idx IS NULL OR {charted}")  # noqa: S608
    workspace.run(
        "INSERT INTO diagnosis SELECT DISTINCT idx, coalesce(icd, snomed), "
        "CASE WHEN icd IS NULL THEN 'SNOMEDCT' ELSE version END, NULL::INTEGER "
        "FROM condition WHERE coalesce(icd, snomed) IS NOT NULL"
    )
    workspace.run(
        "CREATE OR REPLACE TABLE by_snomed AS SELECT DISTINCT concept_id FROM condition "
        "WHERE icd IS NULL AND snomed IS NOT NULL"
    )
    load_code_map(workspace, relations, ancestors, "by_snomed")
    workspace.run("DROP TABLE condition")
