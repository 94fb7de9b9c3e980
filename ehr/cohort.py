"""The cohort: a directory of Parquet tables that every later step reads and adds to.

The directory has mode 0700, since what lies in it is patient data. A table is written whole or not at all, and the
manifest says by which settings and inputs (``fingerprint``) each was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from ehr.assembly import assemble
from ehr.errors import InputError
from ehr.files import JsonValue, atomic_path, library_errors, read_json, user_errors, write_json
from ehr.phenotypes import LabelSet, load_phenotypes
from ehr.schemas import SCHEMAS
from ehr.series import SeriesDefinition, load_series, read_series
from ehr.types import Admission

__all__ = ["FORMAT", "LABELS_FILE", "MAKERS", "MANIFEST", "SCHEMAS", "SERIES_FILE", "Cohort", "create_cohort"]

FORMAT = 1
"""Version of the cohort's file formats."""

MANIFEST = "manifest.json"
LABELS_FILE = "labels.toml"
"""The cohort's own label set."""
SERIES_FILE = "series.csv"
"""Definitions of the cohort's series."""

MAKERS = {
    "findings": "kg link {cohort}",
    "subgraphs": "kg retrieve {cohort}",
    "rationales": "distill teach {cohort}",
}
"""Which command makes a table; every other table comes from ``clinragen ehr ingest``."""

_BATCH = 1000
_ROW_GROUP = 100_000


def _rechunk(frames: Iterable[pl.DataFrame], schema: pl.Schema, size: int) -> Iterator[pl.DataFrame]:
    """Give the same rows in frames of exactly ``size`` rows (the last may be shorter)."""
    waiting: list[pl.DataFrame] = []
    count = 0
    for frame in frames:
        waiting.append(frame.select(schema.names()).cast(schema))
        count += frame.height
        if count >= size:
            whole = pl.concat(waiting)
            end = count - count % size
            for start in range(0, end, size):
                yield whole[start : start + size]
            waiting, count = [whole[end:]], count - end
    if count:
        yield pl.concat(waiting)


class Cohort:
    """An opened cohort; reads lazily, so that a large one need not fit in memory.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._admissions: pl.DataFrame | None = None

    @classmethod
    def open(cls, path: Path | str) -> Cohort:
        """Open a cohort's directory.

        Raises:
            InputError: where there is none, or one of another format.
        """
        directory = Path(path)
        remedy = f"make one with `clinragen ehr ingest DIR --out {directory}`"
        if not directory.is_dir():
            raise InputError("no such cohort directory", where=directory, remedy=remedy)
        if not (directory / MANIFEST).is_file():
            raise InputError(f"no cohort: it has no {MANIFEST}", where=directory, remedy=remedy)
        cohort = cls(directory)
        found = cohort.manifest.get("format")
        if found != FORMAT:
            raise InputError(f"cohort format is {found!r}, expected {FORMAT}", where=directory, remedy=remedy)
        return cohort

    @property
    def manifest(self) -> dict[str, JsonValue]:
        """The manifest as it stands on disk now."""
        return read_json(self.path / MANIFEST)

    def _entries(self) -> dict[str, JsonValue]:
        tables = self.manifest.get("tables")
        return tables if isinstance(tables, dict) else {}

    def fingerprint(self, name: str) -> str | None:
        """Give the fingerprint that a table was written with, None where it is missing."""
        entry = self._entries().get(name)
        value = entry.get("fingerprint") if isinstance(entry, dict) else None
        return value if isinstance(value, str) else None

    def is_current(self, name: str, fingerprint: str) -> bool:
        """Say whether the table stands there, whole, with this fingerprint."""
        return self.fingerprint(name) == fingerprint and self.table_path(name).is_file()

    def table_path(self, name: str) -> Path:
        """Give the file of a table, whether or not it exists."""
        return self.path / f"{name}.parquet"

    def _require(self, name: str) -> Path:
        path = self.table_path(name)
        if not path.is_file():
            command = MAKERS.get(name, "clinragen ehr ingest DIR --out {cohort}").format(cohort=self.path)
            raise InputError(f"the cohort has no table {name!r}", where=self.path, remedy=f"run `{command}`")
        return path

    def table(self, name: str) -> pl.DataFrame:
        """Read a table whole.

        Raises:
            InputError: where it is missing (names the command that makes it) or damaged.
        """
        path = self._require(name)
        try:
            return pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError("damaged table", where=path, remedy="make it again") from error

    def scan(self, name: str) -> pl.LazyFrame:
        """Read a table lazily; sorted by admission, so a filter on ids reads little.

        Raises:
            InputError: where it is missing (names the command that makes it).
        """
        return pl.scan_parquet(self._require(name))

    def rows(self, name: str) -> int:
        """Give a table's number of rows, from its file's footer."""
        return int(pq.read_metadata(self._require(name)).num_rows)

    def write_table(self, name: str, frame: pl.DataFrame, fingerprint: str, **info: JsonValue) -> None:
        """Write a table whole and note it in the manifest.

        Args:
            name: table name, also the file's stem.
            frame: rows in their final order.
            fingerprint: of everything the table depends on.
            info: more about it for the manifest, JSON values.

        Raises:
            InputError: for a full disk or no permission; the former table then stays or is gone, never half.
        """
        path = self.table_path(name)
        # Taken out of the manifest first: killed in between, the new file must not pass under the old fingerprint.
        self._note(name, None)
        with library_errors(path), atomic_path(path) as temporary:
            frame.write_parquet(temporary, compression="zstd", statistics=True, row_group_size=_ROW_GROUP)
        self._note(name, {"fingerprint": fingerprint, "rows": frame.height, **info})
        if name == "admissions":
            self._admissions = None

    def write_batches(
        self,
        name: str,
        frames: Iterable[pl.DataFrame],
        schema: pl.Schema,
        fingerprint: str,
        *,
        row_group: int = _ROW_GROUP,
        **info: JsonValue,
    ) -> int:
        """Write a table of any size from frames that come one after the other; see `write_table`.

        Row groups have a fixed size (``row_group``) whatever the frames' sizes, so equal rows give equal bytes.

        Returns:
            The number of rows.
        """
        path = self.table_path(name)
        self._note(name, None)
        arrow_schema = pl.DataFrame(schema=schema).to_arrow().schema
        rows = 0
        with (
            library_errors(path),
            atomic_path(path) as temporary,
            pq.ParquetWriter(temporary, arrow_schema, compression="zstd") as writer,
        ):
            for frame in _rechunk(frames, schema, row_group):
                # One chunk each: how the rows came in pieces must not show in the file.
                writer.write_table(frame.rechunk().to_arrow().cast(arrow_schema), row_group_size=row_group)
                rows += frame.height
        self._note(name, {"fingerprint": fingerprint, "rows": rows, **info})
        return rows

    def annotate(self, name: str, **info: JsonValue) -> None:
        """Add to what the manifest says of a table that was written."""
        entry = self._entries().get(name)
        if isinstance(entry, dict):
            self._note(name, {**entry, **info})

    def remark(self, **info: JsonValue) -> None:
        """Add to what the manifest says of the whole cohort."""
        write_json(self.path / MANIFEST, {**self.manifest, **info})

    def label_set(self) -> LabelSet:
        """Give the label set by which the admissions were labelled.

        Raises:
            InputError: where its file is damaged.
        """
        path = self.path / LABELS_FILE
        return load_phenotypes(path) if path.is_file() else load_phenotypes()

    def need_built_in_labels(self, step: str) -> None:
        """Refuse a step that works with the graph's own 25 phenotypes alone.

        Raises:
            InputError: where the cohort has another label set.
        """
        if self.label_set().ids != load_phenotypes().ids:
            raise InputError(
                f"{step} knows the {len(load_phenotypes())} phenotypes of the package alone, and this cohort has "
                "a label set of its own",
                where=self.path,
                remedy="ingest without --labels",
            )

    def series_set(self) -> tuple[SeriesDefinition, ...]:
        """Give the definitions of the cohort's series."""
        path = self.path / SERIES_FILE
        return read_series(path) if path.is_file() else load_series()

    def _note(self, name: str, entry: dict[str, JsonValue] | None) -> None:
        manifest = self.manifest
        tables = manifest.setdefault("tables", {})
        if not isinstance(tables, dict):
            raise InputError("'tables' is no object", where=self.path / MANIFEST)
        if entry is None and name not in tables:
            return
        if entry is None:
            del tables[name]
        else:
            tables[name] = entry
        write_json(self.path / MANIFEST, dict(manifest))

    def _admission_table(self) -> pl.DataFrame:
        if self._admissions is None:
            self._admissions = self.table("admissions")
        return self._admissions

    def ids(self, split: str | None = None) -> tuple[str, ...]:
        """Give the admission ids, all or those of one split, sorted."""
        frame = self._admission_table()
        if split is not None:
            frame = frame.filter(pl.col("split") == split)
        return tuple(frame["admission_id"].to_list())

    def admission(self, admission_id: str) -> Admission:
        """Give one admission with notes, series and medications.

        Raises:
            InputError: for an id that the cohort does not have.
        """
        for found in self._build([admission_id]):
            return found
        raise InputError(f"no admission {admission_id!r}", where=self.path)

    def admissions(self, split: str | None = None, ids: Iterable[str] | None = None) -> Iterator[Admission]:
        """Iterate over admissions in order of their ids, reading a thousand at a time.

        Args:
            split: only this split.
            ids: only these; unknown ids are passed over.
        """
        wanted = None if ids is None else set(ids)
        chosen = [found for found in self.ids(split) if wanted is None or found in wanted]
        for start in range(0, len(chosen), _BATCH):
            yield from self._build(chosen[start : start + _BATCH])

    def _groups(self, name: str, ids: list[str]) -> dict[str, pl.DataFrame]:
        if not self.table_path(name).is_file():
            return {}
        # The range lets Parquet statistics skip row groups; the exact test is the second one.
        near = pl.col("admission_id").is_between(pl.lit(min(ids)), pl.lit(max(ids)))
        frame = self.scan(name).filter(near & pl.col("admission_id").is_in(ids)).collect()
        return {str(key[0]): part for key, part in frame.group_by(["admission_id"], maintain_order=True)}

    def _build(self, ids: list[str]) -> Iterator[Admission]:
        rows = self._admission_table().filter(pl.col("admission_id").is_in(ids))
        return assemble(rows, *(self._groups(name, ids) for name in ("notes", "series", "medications")))


def create_cohort(directory: Path, manifest: dict[str, JsonValue]) -> Cohort:
    """Make an empty cohort in an existing directory, readable by its owner alone."""
    with user_errors(directory):
        directory.chmod(0o700)
        write_json(directory / MANIFEST, {**manifest, "format": FORMAT, "tables": {}})
    return Cohort(directory)
