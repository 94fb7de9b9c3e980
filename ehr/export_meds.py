"""Writes a cohort as a MEDS data set, so that other tools of that ecosystem can read it.

Source: MEDS 0.4, through the schemas of the ``meds`` package. A cohort keeps no dates: times within an admission are
true to the second, while the first admission of every patient begins on 2000-01-01 and the others follow, in order of
age, a month after the former's last event.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from meds import schema as meds

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.export_meds_rows import Place, create_events, place_admissions
from ehr.files import atomic_directory, library_errors, read_json, user_errors, write_json
from ehr.progress import bar
from ehr.workspace import Workspace

ETL = "clinragen"
"""What ``dataset.json`` says under ``etl_name``; only such a data set is ever replaced."""

_ROWS_A_SHARD = 500_000
_README = """# MEDS data set of a cohort

Written by `clinragen ehr export --to meds` from a cohort of the layout `{layout}`.
Data use: {terms}.

- `data/SPLIT/N.parquet`, `metadata/`: MEDS {version}. `splits.csv` has the same splits under the cohort's own names.
- Times within an admission are true. The cohort keeps no dates, so each patient's first admission begins on 2000-01-01,
  and the others follow in order of age, one month apart: neither their order nor the time between them is known.
- `LOINC/CODE` with the column `unit`: labs and vitals in the unit of the series. Where 32 bits cannot hold a value,
  `text_value` has all its digits. `DIAGNOSIS//ICD//VERSION//CODE` stands at discharge, when it was coded.
- Notes: {notes}.
"""


def export_meds(cohort: Cohort, out: Path, *, include_text: bool = False) -> list[dict[str, object]]:
    """Write a cohort as a MEDS data set.

    Args:
        cohort: the cohort.
        out: a new directory, an empty one, or an earlier export, which is replaced whole; its mode is 0700.
        include_text: also write the note sections, reassembled to one note an admission.

    Returns:
        One row: subjects, admissions, events, shards.

    Raises:
        InputError: where something else lies at ``out``, or for a full disk; nothing is then left behind.
    """
    _check_place(out)
    with library_errors(out), atomic_directory(out) as temporary:
        temporary.chmod(0o700)
        scratch = Path(tempfile.mkdtemp(prefix=".work-", dir=temporary))
        try:
            counts = _write(cohort, temporary, scratch, include_text)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return [counts]


def _check_place(out: Path) -> None:
    with user_errors(out):
        if out.exists() and not out.is_dir():
            raise InputError("is a file; expected a directory to write the data set to", where=out)
        if not out.is_dir() or not any(out.iterdir()):
            return
    dataset = out / meds.dataset_metadata_filepath
    if not dataset.is_file() or read_json(dataset).get("etl_name") != ETL:
        raise InputError("is not empty and no earlier export", where=out, remedy="choose another directory")


def _write(cohort: Cohort, out: Path, scratch: Path, include_text: bool) -> dict[str, object]:
    admissions = cohort.table("admissions")
    workspace = Workspace(scratch)
    try:
        place = place_admissions(cohort, workspace, admissions)
        create_events(cohort, workspace, place, include_text=include_text)
        shards, events = 0, 0
        for path, table in _shards(workspace, place):
            target = out / meds.data_subdirectory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            meds.DataSchema.validate(table)
            pq.write_table(table, target, compression="zstd")
            shards, events = shards + 1, events + table.num_rows
        (out / "metadata").mkdir()
        _write_codes(cohort, workspace, out)
    finally:
        workspace.close()
    _write_metadata(cohort, place, out, include_text)
    return {"subjects": place.subjects.height, "admissions": admissions.height, "events": events, "shards": shards}


def _shards(workspace: Workspace, place: Place) -> Iterator[tuple[str, pa.Table]]:
    """Give each shard's path and rows: whole subjects, static rows first, then by time."""
    sizes = workspace.frame(
        "SELECT split, subject_id, count(*) AS n FROM event GROUP BY ALL ORDER BY split, subject_id"
    )
    plan: list[tuple[str, int, int, int]] = []
    rows = 0
    for split, subject, count in sizes.iter_rows():
        if plan and plan[-1][0] == split and rows + count <= _ROWS_A_SHARD:
            plan[-1] = (split, plan[-1][1], plan[-1][2], subject)
            rows += count
        else:
            number = plan[-1][1] + 1 if plan and plan[-1][0] == split else 0
            plan.append((split, number, subject, subject))
            rows = count
    columns = ", ".join(field.name for field in place.schema)
    with bar("writing shards", total=len(plan)) as advance:
        for split, number, first, last in plan:
            frame = workspace.frame(
                f"SELECT {columns} FROM event WHERE split = '{split}' AND subject_id BETWEEN {first} AND {last} "  # noqa: S608
                "ORDER BY subject_id, time NULLS FIRST, rank, code, numeric_value, source_row, text_value"
            )
            yield f"{split}/{number}.parquet", frame.rechunk().to_arrow().cast(place.schema)
            advance()


def _write_codes(cohort: Cohort, workspace: Workspace, out: Path) -> None:
    names = {definition.code.replace(":", "/"): definition.name for definition in cohort.series_set()}
    rows = []
    for (code,) in workspace.frame("SELECT DISTINCT code FROM event ORDER BY code").iter_rows():
        parents: list[str] = []
        if code.startswith("DIAGNOSIS//ICD//"):
            version, icd = code.split("//")[2:4]
            parents = [f"ICD{version}CM/{_dotted(icd, version)}"]
        rows.append({"code": code, "description": names.get(code), "parent_codes": parents or None})
    table = pa.Table.from_pylist(rows, schema=meds.CodeMetadataSchema.schema())
    meds.CodeMetadataSchema.validate(table)
    pq.write_table(table, out / meds.code_metadata_filepath)


def _dotted(code: str, version: str) -> str:
    """Give an ICD-CM code with its point; external causes of ICD-9-CM have four characters before it."""
    head = 4 if version == "9" and code.startswith("E") else 3
    return f"{code[:head]}.{code[head:]}" if len(code) > head else code


def _write_metadata(cohort: Cohort, place: Place, out: Path, include_text: bool) -> None:
    manifest = cohort.manifest
    source = manifest.get("source")
    layout = str(source.get("layout") if isinstance(source, dict) else None)
    splits = place.subjects.select("subject_id", "split").sort("subject_id").to_arrow()
    splits = splits.cast(meds.SubjectSplitSchema.schema())
    meds.SubjectSplitSchema.validate(splits)
    pq.write_table(splits, out / meds.subject_splits_filepath)
    own = place.subjects.select(pl.col("patient_id").alias("subject_id"), pl.col("own_split").alias("split"))
    own.sort("subject_id").write_csv(out / "splits.csv")
    terms = str(manifest.get("data_use") or "the terms under which the source was given")
    names = [field.name for field in place.schema]
    dataset: dict[str, object] = {
        "dataset_name": f"{ETL} cohort of {layout}",
        "dataset_version": str(manifest.get("fingerprint") or "unknown"),
        "etl_name": ETL,
        "etl_version": importlib.metadata.version("clinragen"),
        "meds_version": importlib.metadata.version("meds"),
        "license": terms,
        "raw_source_id_columns": [n for n in ("hadm_id", "admission_id", "patient_id", "source_row") if n in names],
        "code_modifier_columns": ["unit"],
        "other_extension_columns": ["reference_low", "reference_high", "sequence"],
    }
    meds.DatasetMetadataSchema.validate(json.loads(json.dumps(dataset)))
    write_json(out / meds.dataset_metadata_filepath, dataset)
    (out / "LICENSE.txt").write_text(terms + "\n", encoding="utf-8")  # so that ingesting it again keeps the terms
    notes = "one an admission, at its beginning" if include_text else "left out (`--include-text` writes them)"
    text = _README.format(layout=layout, terms=terms, version=importlib.metadata.version("meds"), notes=notes)
    (out / "README.md").write_text(text, encoding="utf-8")
