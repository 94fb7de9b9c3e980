"""The bundle: the graph as a directory of Parquet files, the truth of which databases are views.

A build is written whole into ``.commit/`` inside the directory and then moved file by file, the manifest last. A killed
build therefore leaves the old bundle (not yet renamed to ``.commit``) or the new one, whose move `Bundle.open`
finishes. Files that are not the bundle's (``graph.lbug``, ``index/``) are never touched.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from ehr.files import JsonValue, read_json, sha256_file, user_errors, write_json
from kg.schema import TABLES
from kg.types import Concept, Synonym
from kg.vocabulary import Category

FORMAT = 1
"""Version of the bundle's layout; a bundle of another number has to be built again."""

MANIFEST = "manifest.json"
_COMMIT = ".commit"
_BUILDING = ".building-"
_LOCK = ".lock"
_SLICE = 50_000


class Bundle:
    """A built bundle, read lazily. Make one with `Bundle.open`."""

    def __init__(self, path: Path, manifest: Mapping[str, JsonValue]) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """Open a bundle, first finishing a build that was killed while its files were moved into place.

        Raises:
            InputError: where this is no bundle, was written by another version, or a table's schema is not as it
                should be.
        """
        path = Path(path)
        finish_commit(path)
        if not (path / MANIFEST).is_file():
            raise InputError("is no graph bundle (no manifest.json)", where=path, remedy="make one with `kg build`")
        manifest = read_json(path / MANIFEST)
        if manifest.get("format") != FORMAT or not isinstance(manifest.get("hash"), str):
            found = manifest.get("format")
            raise InputError(
                f"bundle format {found!r}, expected {FORMAT}", where=path, remedy="build it again with `kg build`"
            )
        for name, schema in TABLES.items():
            check_schema(path / f"{name}.parquet", schema)
        return cls(path, manifest)

    @property
    def hash(self) -> str:
        """Hash of the tables' content, independent of how Parquet stores it."""
        return str(self.manifest["hash"])

    def table(self, name: str) -> pl.LazyFrame:
        """Give a table by name, with the columns of `kg.schema.TABLES`."""
        return pl.scan_parquet(self.path / f"{name}.parquet", glob=False)

    @property
    def concepts(self) -> pl.LazyFrame:
        """One row a concept, sorted by ``id``."""
        return self.table("concepts")

    @property
    def synonyms(self) -> pl.LazyFrame:
        """One row a further name of a concept."""
        return self.table("synonyms")

    @property
    def statements(self) -> pl.LazyFrame:
        """One row a statement, whoever makes it."""
        return self.table("statements")

    @property
    def evidence(self) -> pl.LazyFrame:
        """One row a reason for a statement."""
        return self.table("evidence")

    @property
    def mappings(self) -> pl.LazyFrame:
        """One row a mapping between ids of two vocabularies, former ids among them."""
        return self.table("mappings")

    @property
    def rejects(self) -> pl.LazyFrame:
        """One row a record that could not be used."""
        return self.table("rejects")

    @cached_property
    def _names(self) -> dict[str, str]:
        return dict(self.concepts.select("id", "name").collect().iter_rows())

    @cached_property
    def _categories(self) -> dict[str, Category]:
        rows = self.concepts.select("id", "category").collect().iter_rows()
        return {identifier: Category(value) for identifier, value in rows}

    def name(self, identifier: str) -> str:
        """Give a concept's name; the id itself for an unknown concept."""
        return self._names.get(identifier, identifier)

    def category(self, identifier: str) -> Category | None:
        """Give a concept's category; None for an unknown concept."""
        return self._categories.get(identifier)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._names

    def concept(self, identifier: str) -> Concept | None:
        """Give a concept with its synonyms; None where the bundle has none of this id."""
        rows = self.concepts.filter(pl.col("id") == identifier).collect().to_dicts()
        if not rows:
            return None
        row = rows[0]
        synonyms = self.synonyms.filter(pl.col("concept") == identifier).collect()
        return Concept(
            id=identifier,
            category=Category(row["category"]),
            name=row["name"],
            source=row["source"],
            synonyms=tuple(Synonym(t, s, k) for t, s, k in synonyms.select("text", "scope", "kind").iter_rows()),
            definition=row["definition"],
            xrefs=tuple(row["xrefs"]),
            deprecated=row["deprecated"],
            replaced_by=row["replaced_by"],
        )

    def current(self, identifier: str) -> str:
        """Give the id that a former id (``alt_id``, obsolete) stands for now; itself where there is none."""
        rows = self.mappings.filter((pl.col("subject") == identifier) & (pl.col("predicate") == "IAO:0100001"))
        found = rows.select("object").collect()["object"].to_list()
        return next((i for i in found if i in self and i != identifier), identifier)


def check_schema(path: Path, schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> None:
    """Check a Parquet file's columns.

    Raises:
        InputError: where the file is missing, is no Parquet, or a column is missing or of another type.
    """
    try:
        found = pl.read_parquet_schema(path)
    except FileNotFoundError as error:
        raise InputError("no such file", where=path, remedy="build it again with `kg build`") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("not a readable Parquet file", where=path, remedy="build it again with `kg build`") from error
    for name, dtype in schema.items():
        if name not in found:
            raise InputError(f"no column {name!r}", where=path, remedy="build it again with `kg build`")
        if found[name] != dtype:
            raise InputError(f"column {name!r} is {found[name]}, expected {dtype}", where=path)


def content_hash(frame: pl.DataFrame) -> str:
    """Give the SHA-256 of a table's rows in their order, independent of Parquet's encoding."""
    digest = hashlib.sha256(",".join(frame.columns).encode())
    for part in frame.iter_slices(_SLICE):
        buffer = io.BytesIO()
        part.write_ndjson(buffer)
        digest.update(buffer.getbuffer())
    return digest.hexdigest()


def bundle_hash(tables: Mapping[str, str]) -> str:
    """Give the bundle's hash from its tables' hashes (rejects, which are no knowledge, left out)."""
    text = "\n".join(f"{name} {tables[name]}" for name in sorted(tables) if name != "rejects")
    return hashlib.sha256(text.encode()).hexdigest()


def intact(path: Path, manifest: Mapping[str, JsonValue]) -> bool:
    """Say whether the files of a bundle are byte for byte those of its manifest."""
    files = manifest.get("files")
    if not isinstance(files, dict) or set(files) != {f"{name}.parquet" for name in TABLES}:
        return False
    return all((path / name).is_file() and sha256_file(path / name) == digest for name, digest in files.items())


@contextmanager
def build_lock(path: Path) -> Iterator[None]:
    """Hold the bundle's directory for one build; what an earlier killed build left behind is cleared away.

    Raises:
        InputError: where another build runs there, or the place cannot be written to.
    """
    with user_errors(path):
        if path.exists() and not path.is_dir():
            raise InputError("is a file, expected a directory", where=path, remedy="choose another place")
        made = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError("another build runs here", where=path, remedy="wait until it has finished") from error
            for left in path.glob(f"{_BUILDING}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            # The lock file stays: unlinked, two builds could hold locks on two files of one name. Only a directory that
            # this build made in vain goes away whole.
            if made and [file.name for file in path.iterdir()] == [_LOCK]:
                (path / _LOCK).unlink()
                path.rmdir()
            os.close(descriptor)


def write_bundle(path: Path, tables: Mapping[str, pl.DataFrame], manifest: Mapping[str, object]) -> dict[str, object]:
    """Write the tables and the manifest, completed with hashes and row counts, and put them in place.

    To be called under `build_lock`.

    Returns:
        The completed manifest.
    """
    with user_errors(path):
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=path))
        try:
            hashes = {name: content_hash(frame) for name, frame in tables.items()}
            for name, frame in tables.items():
                # Through Python: polars would hide a full disk in an error of its own.
                buffer = io.BytesIO()
                frame.write_parquet(buffer, compression="zstd", statistics=True)
                (building / f"{name}.parquet").write_bytes(buffer.getbuffer())
            whole = {
                **manifest,
                "format": FORMAT,
                "hash": bundle_hash(hashes),
                "tables": {n: {"rows": f.height, "sha256": hashes[n]} for n, f in tables.items()},
                "files": {f"{n}.parquet": sha256_file(building / f"{n}.parquet") for n in tables},
            }
            write_json(building / MANIFEST, whole)
            for file in building.iterdir():
                _sync(file)
            building.chmod(path.stat().st_mode & 0o777)
            building.rename(path / _COMMIT)
            _sync(path)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    finish_commit(path)
    return whole


def finish_commit(path: Path) -> None:
    """Move what a whole build left in ``.commit/`` into place; nothing to do is fine.

    Raises:
        InputError: where the place cannot be written to.
    """
    commit = path / _COMMIT
    if not commit.is_dir():
        return
    with user_errors(path):
        for name in (*(f"{table}.parquet" for table in TABLES), MANIFEST):
            _move(commit / name, path / name)
        _sync(path)
        shutil.rmtree(commit, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except FileNotFoundError:  # moved before the kill, or by another process that opens the bundle
        if not target.exists():
            raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
