"""Finds the files of a MEDS data set and checks them with the schemas that the ``meds`` package publishes.

Source: MEDS 0.4 (https://medical-event-data-standard.github.io): shards are ``data/**/*.parquet``, beside them
``metadata/dataset.json``, ``metadata/codes.parquet`` and ``metadata/subject_splits.parquet``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from flexible_schema import PyArrowSchema, SchemaValidationError, TableValidationError
from meds.schema import (
    CodeMetadataSchema,
    DataSchema,
    DatasetMetadataSchema,
    SubjectSplitSchema,
    code_metadata_filepath,
    data_subdirectory,
    dataset_metadata_filepath,
    subject_splits_filepath,
)

from ehr.errors import InputError
from ehr.files import user_errors
from ehr.layouts.meds_codes import TABLE
from ehr.tables import Table

_REMEDY = "see the schema of MEDS 0.4"


@dataclass(frozen=True, slots=True)
class MedsFiles:
    """The files of one MEDS data set, checked.

    Attributes:
        data: the shards.
        codes, splits, dataset: the files of ``metadata/``; None where one is not there.
        name: ``dataset_name`` of ``dataset.json``, empty where it says none.
    """

    data: Table
    codes: Table | None
    splits: Table | None
    dataset: Table | None
    name: str


def find_shards(directory: Path) -> list[Path]:
    """Give the Parquet files below ``data/``, sorted, hidden ones left out."""
    top = directory / data_subdirectory
    if not top.is_dir():
        return []
    with user_errors(top):
        found = [path for path in top.rglob("*.parquet") if path.is_file()]
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(top).parts))


def is_meds(directory: Path) -> bool:
    """Say whether a directory looks like a MEDS data set: shards with a subject, a time and a code."""
    shards = find_shards(directory)
    try:
        return bool(shards) and {"subject_id", "time", "code"} <= set(pq.read_schema(shards[0]).names)
    except (pa.ArrowException, OSError):
        return False


def open_files(directory: Path) -> MedsFiles:
    """Find and check a data set's files.

    Raises:
        InputError: without shards, for a damaged file, or one that does not keep to its schema.
    """
    shards = find_shards(directory)
    if not shards:
        raise InputError(f"no MEDS data set: {data_subdirectory}/**/*.parquet is missing", where=directory)
    columns: dict[str, None] = {}
    for shard in shards:
        columns |= dict.fromkeys(_checked(shard, DataSchema))
    codes, splits = directory / code_metadata_filepath, directory / subject_splits_filepath
    dataset, name = directory / dataset_metadata_filepath, ""
    if dataset.is_file():
        name = _dataset_name(dataset)
    return MedsFiles(
        data=Table(TABLE, tuple(shards), tuple(columns)),
        codes=_one("metadata/codes", codes, CodeMetadataSchema),
        splits=_one("metadata/subject_splits", splits, SubjectSplitSchema),
        dataset=Table("metadata/dataset", (dataset,), ()) if dataset.is_file() else None,
        name=name,
    )


def _one(name: str, path: Path, schema: type[PyArrowSchema]) -> Table | None:
    return Table(name, (path,), tuple(_checked(path, schema))) if path.is_file() else None


def _checked(path: Path, schema: type[PyArrowSchema]) -> Sequence[str]:
    """Give the columns of a file that keeps to the schema, but for the width of its types (``large_string``)."""
    try:
        found = pq.read_schema(path)
    except pa.ArrowException as error:
        raise InputError("no Parquet file, or a damaged one", where=path, remedy="copy or download it again") from error
    try:
        schema.validate(_standard(found, schema.schema()))
    except (SchemaValidationError, TableValidationError) as error:
        raise InputError(f"breaks the schema of MEDS: {error}", where=path, remedy=_REMEDY) from error
    return tuple(map(str, found.names))


def _standard(found: pa.Schema, wanted: pa.Schema) -> pa.Schema:
    """Give the schema with each type that holds the same kind of values as the standard's replaced by that."""
    fields = []
    for field in found:
        number = wanted.get_field_index(field.name)
        same = number >= 0 and _family(field.type) == _family(wanted.field(number).type)
        fields.append(pa.field(field.name, wanted.field(number).type) if same else field)
    return pa.schema(fields)


def _family(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {_family(kind.value_type)}"
    tests = ("is_integer", "is_floating", "is_timestamp")
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return "text" if text else next((name for name in tests if getattr(pa.types, name)(kind)), str(kind))


def _dataset_name(path: Path) -> str:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        DatasetMetadataSchema.validate(content)
    except (ValueError, SchemaValidationError, TableValidationError) as error:
        raise InputError("breaks the schema of MEDS", where=path, remedy=_REMEDY) from error
    return str(content.get("dataset_name") or "")
