"""The bundle: the graph as a directory of Parquet files, the truth of which databases are views.

Each table is one file, but the statements are one file a relationship type, as the embedded store loads them.

A build is written whole into ``.commit/`` inside the directory and then moved file by file, the manifest last. A killed
build therefore leaves the old bundle (not yet renamed to ``.commit``) or the new one, whose move `Bundle.open`
finishes. Files that are not the bundle's (``graph.lbug``, ``index/``) are never touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from ehr.errors import InputError
from ehr.files import JsonValue, read_json, sha256_file, user_errors, write_json
from kg.content import bundle_hash, content_hash
from kg.schema import TABLES
from kg.types import Concept, Synonym
from kg.vocabulary import Category, Predicate

FORMAT = 2
"""Version of the bundle's layout; a bundle of another number has to be built again."""

MANIFEST = "manifest.json"
_COMMIT = ".commit"
_BUILDING = ".building-"
_LOCK = ".lock"


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
            for file in table_files(path, name):
                check_schema(file, schema)
        return cls(path, manifest)

    @property
    def hash(self) -> str:
        """Hash of the tables' content, independent of how Parquet stores it."""
        return str(self.manifest["hash"])

    def table(self, name: str) -> pl.LazyFrame:
        """Give a table by name, with the columns of `kg.schema.TABLES`, in the order of `kg.schema.ORDER`."""
        files = self.files(name)
        return pl.scan_parquet(files, glob=False) if files else pl.LazyFrame(schema=TABLES[name])

    def files(self, name: str) -> list[Path]:
        """Give the Parquet files of a table; one a relationship type for ``statements``."""
        return table_files(self.path, name)

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
        """One row a statement, whoever makes it, sorted by predicate, subject and object."""
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
        found = pl.scan_parquet(path, glob=False).collect_schema()
    except FileNotFoundError as error:
        raise InputError("no such file", where=path, remedy="build it again with `kg build`") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("not a readable Parquet file", where=path, remedy="build it again with `kg build`") from error
    for name, dtype in schema.items():
        if name not in found:
            raise InputError(f"no column {name!r}", where=path, remedy="build it again with `kg build`")
        if found[name] != dtype:
            raise InputError(f"column {name!r} is {found[name]}, expected {dtype}", where=path)


def table_files(path: Path, name: str) -> list[Path]:
    """Give the Parquet files of a table in the order of its rows; those of ``statements`` may be none."""
    if name != "statements":
        return [path / f"{name}.parquet"]
    files = {one: path / name / f"{one.relationship}.parquet" for one in sorted(Predicate, key=lambda p: p.value)}
    return [file for file in files.values() if file.is_file()]


def bundle_files(path: Path) -> list[Path]:
    """Give every file of a bundle but its manifest."""
    return [file for name in TABLES for file in table_files(path, name)]


def intact(path: Path, manifest: Mapping[str, JsonValue], digest: Callable[[Path], str] = sha256_file) -> bool:
    """Say whether the files of a bundle are byte for byte those of its manifest."""
    files = manifest.get("files")
    present = [file for file in bundle_files(path) if file.is_file()]
    if not isinstance(files, dict) or set(files) != {file.relative_to(path).as_posix() for file in present}:
        return False
    return all(digest(path / name) == expected for name, expected in files.items())


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


@contextmanager
def building(path: Path) -> Iterator[Path]:
    """Give a directory inside the bundle's for its new files; to be used under `build_lock`, and cleared at the end."""
    with user_errors(path):
        folder = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=path))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit(path: Path, folder: Path, manifest: Mapping[str, object], extra: Sequence[str] = ()) -> dict[str, object]:
    """Complete the manifest with hashes and row counts and put the files of ``folder`` in their place.

    Args:
        path: the bundle's directory.
        folder: holds every table, made under `building`.
        manifest: what is to be known of sources and settings.
        extra: further files of ``folder`` that belong beside the tables (reports).

    Returns:
        The completed manifest.
    """
    with user_errors(path):
        hashes = {name: content_hash(table_files(folder, name), schema) for name, schema in TABLES.items()}
        rows = {name: sum(pq.read_metadata(f).num_rows for f in table_files(folder, name)) for name in TABLES}
        whole = {
            **manifest,
            "format": FORMAT,
            "hash": bundle_hash(hashes),
            "tables": {name: {"rows": rows[name], "sha256": hashes[name]} for name in TABLES},
            "files": {file.relative_to(folder).as_posix(): sha256_file(file) for file in bundle_files(folder)},
        }
        write_json(folder / MANIFEST, whole)
        for file in (*bundle_files(folder), folder / MANIFEST, *(folder / name for name in extra)):
            _sync(file)
        folder.chmod(path.stat().st_mode & 0o777)
        folder.rename(path / _COMMIT)
        _sync(path)
    finish_commit(path)
    return whole


def finish_commit(path: Path) -> None:
    """Move what a whole build left in ``.commit/`` into place; nothing to do is fine.

    Raises:
        InputError: where the place cannot be written to.
    """
    commit_ = path / _COMMIT
    if not commit_.is_dir():
        return
    with user_errors(path):
        # The manifest goes last: while it is still the old one, its hashes tell that the files are not.
        names = sorted((file.name for file in commit_.iterdir()), key=lambda name: (name == MANIFEST, name))
        for name in names:
            _move(commit_ / name, path / name)
        (path / "statements.parquet").unlink(missing_ok=True)  # of an earlier layout
        _sync(path)
        shutil.rmtree(commit_, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    try:
        if source.is_dir() and target.is_dir():  # a directory cannot replace one that holds files
            aside = target.with_name(f"{_BUILDING}old-{target.name}")
            shutil.rmtree(aside, ignore_errors=True)
            target.rename(aside)
            source.replace(target)
            shutil.rmtree(aside, ignore_errors=True)
        else:
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
