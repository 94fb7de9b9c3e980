"""OMOP's vocabulary, as far as a reader needs it: LOINC codes, units, kinds of visits, and SNOMED codes' ICD codes.

Sources: OHDSI CommonDataModel 5.4 (``concept``, ``concept_relationship``, ``concept_ancestor``); the conversion of
MIMIC-IV by OHDSI for what stands in a real data set. Where the vocabulary is not among the files, ``concepts_omop.csv``
has the concepts of the LOINC codes that the series need.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import polars as pl

from ehr.tables import Table, Workspace, find_table

CONCEPT = ("concept_id", "vocabulary_id", "concept_code")

ICD_VERSIONS = {
    "ICD9CM": "9",
    "ICD10CM": "10",
    "ICD10": "10",
    "ICD10GM": "10",
    "ICD10CN": "10",
    "CIM10": "10",
    "KCD7": "10",
}
"""OMOP's ICD vocabularies and the version of ICD-CM that their codes are read as; national ICD-10 differ in details."""

# The MIMIC-IV demo in OMOP calls the file of its own concepts so; Athena's is then beside it, or not there.
_PREFIXES = ("", "2b_")


def find_vocabulary(directory: Path, name: str) -> tuple[Table, ...]:
    """Find a table of the vocabulary, of Athena and of the data set's own concepts."""
    found = (find_table(directory, "vocabulary", f"{prefix}{name}") for prefix in _PREFIXES)
    return tuple(table for table in found if table is not None)


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files("ehr") / name).read_text(encoding="utf-8").splitlines()))


def _union(tables: Sequence[Table], columns: Sequence[str], optional: Sequence[str]) -> str:
    return " UNION ALL ".join(f"SELECT * FROM {table.sql(columns, optional)}" for table in tables)  # noqa: S608


def load_concepts(workspace: Workspace, concepts: Sequence[Table], used: str, tables: Sequence[Table]) -> None:
    """Fill ``concept``: id, vocabulary, code and name of every concept that the data use, and of all ICD codes.

    Args:
        workspace: the scratch database.
        concepts: the vocabulary's files; may be none.
        used: query that gives ``concept_id`` as text.
        tables: the files that it reads.
    """
    workspace.run(
        "CREATE OR REPLACE TABLE concept "
        "(concept_id VARCHAR PRIMARY KEY, vocabulary VARCHAR, code VARCHAR, name VARCHAR)"
    )
    if concepts:
        listed = ", ".join(f"'{name}'" for name in ICD_VERSIONS)
        given = _union(concepts, CONCEPT, ("concept_name",))
        workspace.run(
            "INSERT OR IGNORE INTO concept "  # noqa: S608
            f"SELECT concept_id, vocabulary_id, concept_code, concept_name FROM ({given}) "
            f"WHERE concept_id IS NOT NULL AND (vocabulary_id IN ({listed}) OR concept_id IN ({used}))",
            tables=(*concepts, *tables),
        )
    own = pl.DataFrame(_rows("concepts_omop.csv"))
    workspace.run("CREATE OR REPLACE TABLE known (concept_id VARCHAR, vocabulary VARCHAR, code VARCHAR)")
    workspace.insert("known", own)
    workspace.run("INSERT OR IGNORE INTO concept SELECT concept_id, vocabulary, code, NULL FROM known")


def load_visit_kinds(workspace: Workspace, ancestors: Table | None) -> None:
    """Fill ``visit_kind``: which visits are admissions, ``yes`` or only where they last over a night (``overnight``).

    A concept below one of ``visits_omop.csv`` in ``concept_ancestor`` is what the nearest of them is.
    """
    workspace.run("CREATE OR REPLACE TABLE visit_kind (concept_id VARCHAR, name VARCHAR, admission VARCHAR)")
    workspace.insert("visit_kind", pl.DataFrame(_rows("visits_omop.csv")))
    if ancestors is not None:
        below = ancestors.sql(("ancestor_concept_id", "descendant_concept_id"), ("min_levels_of_separation",))
        workspace.run(
            f"""
            INSERT INTO visit_kind
            SELECT a.descendant_concept_id, k.name, k.admission
            FROM {below} a JOIN visit_kind k ON k.concept_id = a.ancestor_concept_id
            WHERE a.descendant_concept_id NOT IN (SELECT concept_id FROM visit_kind)
            QUALIFY row_number() OVER (PARTITION BY a.descendant_concept_id ORDER BY
                    try_cast(a.min_levels_of_separation AS INTEGER) NULLS LAST, k.admission DESC, k.concept_id) = 1
            """,  # noqa: S608
            tables=(ancestors,),
        )


def load_code_map(workspace: Workspace, relations: Sequence[Table], ancestors: Table | None, snomed: str) -> None:
    """Fill ``code_map`` with the ICD-CM codes that the vocabulary maps to each SNOMED code of the data.

    A SNOMED code that no ICD code maps to has those of its nearest ancestors, where ``concept_ancestor`` is there.

    Args:
        workspace: after `load_concepts`.
        relations: files of ``concept_relationship``; may be none.
        ancestors: ``concept_ancestor``.
        snomed: table with the column ``concept_id`` of the conditions.
    """
    if not relations:
        return
    versions = " ".join(f"WHEN '{name}' THEN '{version}'" for name, version in ICD_VERSIONS.items())
    given = _union(relations, ("concept_id_1", "concept_id_2", "relationship_id"), ("invalid_reason",))
    workspace.run(
        f"""
        CREATE OR REPLACE TABLE icd_of AS
        SELECT DISTINCT target AS concept_id, c.code AS icd_code, CASE c.vocabulary {versions} END AS icd_version
        FROM (SELECT CASE relationship_id WHEN 'Maps to' THEN concept_id_1 ELSE concept_id_2 END AS source,
                     CASE relationship_id WHEN 'Maps to' THEN concept_id_2 ELSE concept_id_1 END AS target
              FROM ({given}) WHERE relationship_id IN ('Maps to', 'Mapped from') AND invalid_reason IS NULL) r
        JOIN concept c ON c.concept_id = r.source
        WHERE icd_version IS NOT NULL
        """,  # noqa: S608
        tables=relations,
    )
    workspace.run(
        f"CREATE OR REPLACE TABLE mapped_by AS SELECT concept_id, concept_id AS bearer FROM {snomed} "  # noqa: S608
        "WHERE concept_id IN (SELECT concept_id FROM icd_of)"
    )
    if ancestors is not None:
        above = ancestors.sql(("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation"))
        workspace.run(
            f"""
            INSERT INTO mapped_by
            SELECT a.descendant_concept_id, a.ancestor_concept_id
            FROM {above} a
            WHERE a.descendant_concept_id IN (SELECT concept_id FROM {snomed})
              AND a.descendant_concept_id NOT IN (SELECT concept_id FROM mapped_by)
              AND a.ancestor_concept_id IN (SELECT concept_id FROM icd_of)
            QUALIFY rank() OVER (PARTITION BY a.descendant_concept_id
                                 ORDER BY try_cast(a.min_levels_of_separation AS INTEGER) NULLS LAST) = 1
            """,  # noqa: S608
            tables=(ancestors,),
        )
    workspace.run(
        "INSERT INTO code_map SELECT DISTINCT c.code, 'SNOMEDCT', i.icd_code, i.icd_version "
        "FROM mapped_by m JOIN concept c USING (concept_id) JOIN icd_of i ON i.concept_id = m.bearer ORDER BY ALL"
    )
