"""What a run diagnosed, kept in its directory, and put from there into stores: ids and numbers, no text."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from distill.run import Run
from distill.types import Diagnosis, DiseaseResult
from ehr.errors import InputError
from ehr.files import atomic_path, user_errors
from kg.stores.base import DiagnosisRecord, GraphStore, Support, pseudonym

FILE = "diagnoses.parquet"
SALT = "salt"

SCHEMA = pl.Schema(
    {
        "admission_id": pl.String(),
        "pseudonym": pl.String(),
        "disease": pl.String(),
        "probability": pl.Float64(),
        "rank": pl.Int64(),
        "named": pl.Boolean(),
        "support": pl.List(pl.Struct({"concept": pl.String(), "weight": pl.Float64(), "statement": pl.String()})),
    }
)
"""Columns of ``diagnoses.parquet``; the file lies beside the run, readable by its owner alone."""


def run_name(run: Run) -> str:
    """Give a run's name in stores: its directory's name and the start of its fingerprint."""
    return f"{run.path.resolve().name}-{str(run.manifest.get('fingerprint', ''))[:8]}"


def run_salt(run: Run) -> str:
    """Give the secret that ties pseudonyms to admissions; made at random once, kept in the run's directory.

    Raises:
        InputError: where it cannot be read or written.
    """
    path = run.path / SALT
    with user_errors(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            salt = path.read_text(encoding="ascii", errors="replace").strip()
            if not salt:
                raise InputError(
                    "is empty", where=path, remedy="remove it; pseudonyms in stores will then be new ones"
                ) from None
            return salt
        with os.fdopen(handle, "w", encoding="ascii") as file:
            salt = secrets.token_hex(32)
            file.write(salt + "\n")
    return salt


def _supports(disease: DiseaseResult) -> list[Support]:
    """Give what a disease rests on, one row a concept and statement; the statement is the one about the disease."""
    found: dict[tuple[str, str | None], Support] = {}
    for node in disease.nodes:
        statement = node.statements[-1] if node.statements else None
        known = found.get((node.concept, statement))
        if known is None or node.weight > known.weight:
            found[node.concept, statement] = Support(node.concept, node.weight, statement)
    return list(found.values())


def kept_diseases(diagnosis: Diagnosis) -> list[DiseaseResult]:
    """Give what is recorded of a diagnosis: the named diseases, or the most probable one where none is named."""
    ranked = sorted(diagnosis.diseases, key=lambda disease: disease.rank)
    return [disease for disease in ranked if disease.named] or ranked[:1]


def _frame(run: Run, diagnoses: Sequence[Diagnosis]) -> pl.DataFrame:
    salt = run_salt(run)
    rows = [
        {
            "admission_id": diagnosis.admission_id,
            "pseudonym": pseudonym(diagnosis.admission_id, salt),
            "disease": disease.phenotype,
            "probability": disease.probability,
            "rank": disease.rank,
            "named": disease.named,
            "support": [
                {"concept": s.concept, "weight": s.weight, "statement": s.statement} for s in _supports(disease)
            ],
        }
        for diagnosis in diagnoses
        for disease in kept_diseases(diagnosis)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def read_recorded(run: Run) -> pl.DataFrame:
    """Give what the run has recorded, empty where nothing was.

    Raises:
        InputError: for a damaged file.
    """
    path = run.path / FILE
    if not path.is_file():
        return pl.DataFrame(schema=SCHEMA)
    try:
        return pl.read_parquet(path, schema=SCHEMA)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("damaged table", where=path, remedy="remove it and diagnose again with --write") from error


def record(run: Run, diagnoses: Sequence[Diagnosis]) -> Path:
    """Keep diagnoses in the run's directory; what was kept of the same admissions is replaced.

    Raises:
        InputError: where the directory cannot be written.
    """
    path = run.path / FILE
    new = _frame(run, diagnoses)
    old = read_recorded(run).filter(~pl.col("admission_id").is_in([d.admission_id for d in diagnoses]))
    frame = pl.concat([old, new]).sort("admission_id", "rank", "disease")
    with user_errors(path), atomic_path(path) as temporary:
        frame.write_parquet(temporary)
        temporary.chmod(0o600)
    return path


def store_recorded(run: Run, store: GraphStore) -> int:
    """Put everything that the run has recorded into a store, under pseudonyms, and give the number of diagnoses.

    Twice gives the same; a store that was built anew gets all of it back.

    Raises:
        InputError: where the store lacks a concept, or was opened read-only.
    """
    records = [
        DiagnosisRecord(
            admission=row["pseudonym"],
            disease=row["disease"],
            probability=row["probability"],
            rank=row["rank"],
            support=tuple(Support(s["concept"], s["weight"], s["statement"]) for s in row["support"]),
        )
        for row in read_recorded(run).iter_rows(named=True)
    ]
    return store.write_diagnoses(run_name(run), records)
