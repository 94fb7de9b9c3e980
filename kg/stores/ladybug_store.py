"""The embedded store: one Ladybug file, rebuilt from the bundle and swapped, never trickled into.

Everything that is particular to Ladybug stands in this module; an undeclared label or property is an error there, so
the whole schema is declared before the first row.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ladybug
import polars as pl

from ehr.errors import InputError, StoreError
from ehr.files import user_errors
from ehr.progress import bar, say
from kg.bundle import Bundle
from kg.schema import Schema
from kg.search import ConceptIndex, Hit, NamedConcepts, search_concepts
from kg.stores.base import (
    ROW_LIMIT,
    TIME_LIMIT,
    BundleFiles,
    DiagnosisRecord,
    QueryResult,
    StoreManifest,
    Support,
    check_diagnoses,
    concepts_of,
    unknown_concepts,
)
from kg.stores.guard import bind, check_query
from kg.stores.ladybug_values import fetch
from kg.stores.manifest import READY, manifest_of, manifest_text, parse_manifest
from kg.stores.tables import CONCEPT_COLUMNS, EVIDENCE_COLUMNS, RELATION_COLUMNS, SOURCE_COLUMNS, GraphTables
from kg.vocabulary import Predicate

_QUERY_BUFFER = 2 << 30
_LARGEST_FILE = 1 << 38

_TYPES = {
    "synonyms": "STRING[]",
    "equivalents": "STRING[]",
    "former": "STRING[]",
    "open": "BOOLEAN",
    "sources": "STRING[]",
    "publications": "STRING[]",
    "deprecated": "BOOLEAN",
    "negated": "BOOLEAN",
    "checked": "BOOLEAN",
    "weight": "DOUBLE",
}


CORE = (*Predicate,)[: (*Predicate,).index(Predicate.RELATED_TO) + 1]
"""Types that every store declares; others only where the bundle has them, since a query over all types takes memory for
each."""

_FRAME_TYPES: Schema = {"STRING[]": pl.List(pl.String), "BOOLEAN": pl.Boolean, "DOUBLE": pl.Float64}


def schema(present: Collection[Predicate] = tuple(Predicate)) -> list[str]:
    """Give the statements that declare every table; the name of a table is its label or relationship type."""
    concept = ", ".join(f"{name} {_TYPES.get(name, 'STRING')}" for name in CONCEPT_COLUMNS)
    evidence = ", ".join(f"{name} {_TYPES.get(name, 'STRING')}" for name in EVIDENCE_COLUMNS)
    source = ", ".join(f"{name} {_TYPES.get(name, 'STRING')}" for name in SOURCE_COLUMNS)
    relation = ", ".join(f"{name} {_TYPES.get(name, 'STRING')}" for name in RELATION_COLUMNS)
    return [
        f"CREATE NODE TABLE Concept({concept}, PRIMARY KEY(id))",
        f"CREATE NODE TABLE Evidence({evidence}, PRIMARY KEY(id))",
        f"CREATE NODE TABLE Source({source}, PRIMARY KEY(id))",
        "CREATE NODE TABLE Admission(id STRING, PRIMARY KEY(id))",
        "CREATE NODE TABLE Diagnosis(id STRING, probability DOUBLE, rank INT64, run STRING, caption STRING, "
        "PRIMARY KEY(id))",
        "CREATE NODE TABLE Bundle(id STRING, hash STRING, state STRING, manifest STRING, PRIMARY KEY(id))",
        *(
            f"CREATE REL TABLE {one.relationship}(FROM Concept TO Concept, {relation})"
            for one in Predicate
            if one in CORE or one in present
        ),
        "CREATE REL TABLE HAS_DIAGNOSIS(FROM Admission TO Diagnosis)",
        "CREATE REL TABLE OF(FROM Diagnosis TO Concept)",
        "CREATE REL TABLE SUPPORTED_BY(FROM Diagnosis TO Concept, weight DOUBLE, statement STRING)",
    ]


class LadybugStore:
    """A graph store in one file, for one machine, without a server."""

    def __init__(self, path: Path, *, read_only: bool = True) -> None:
        """Open the file.

        Args:
            path: the database file; with ``read_only=False`` it may be missing until `load` has written it.
            read_only: True leaves the file as it is and lets other processes read it too.

        Raises:
            InputError: where there is no such store, it is no Ladybug database, or another process writes to it.
        """
        self._path, self._read_only = path, read_only
        self._database: ladybug.Database | None = None
        self._connection: ladybug.Connection | None = None
        if path.is_dir():
            raise InputError("is a directory, expected a database file", where=path, remedy=f"try {path}/graph.lbug")
        if path.exists():
            self._open()
        elif read_only:
            raise InputError("no such graph store", where=path, remedy="make one with `kg build`")

    @property
    def url(self) -> str:
        """Address of the store."""
        return f"ladybug:{self._path}"

    @property
    def manifest(self) -> StoreManifest:
        """What was loaded; nothing where the file is not there yet."""
        if self._connection is None:
            return StoreManifest(hash=None)
        rows = self._rows("MATCH (b:Bundle) RETURN b.hash, b.state, b.manifest")
        return parse_manifest(rows[0][0], rows[0][2]) if rows and rows[0][1] == READY else StoreManifest(hash=None)

    def load(self, bundle: BundleFiles, *, force: bool = False) -> StoreManifest:
        """Build a new database beside the old one and swap them; see `GraphStore.load`."""
        self._writable()
        if self.manifest.hash == bundle.hash and not force:
            say(f"{self._path} already holds this bundle")
            return self.manifest
        tables = GraphTables(bundle)
        recorded = self._recorded()
        old = self._still_needed(recorded, tables)
        with user_errors(self._path), _clear_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            workplace = Path(tempfile.mkdtemp(prefix=f".{self._path.name}.", suffix=".tmp", dir=self._path.parent))
            try:
                with tempfile.TemporaryDirectory() as rows:
                    self._build(workplace / self._path.name, Path(rows), tables, bundle, recorded, old)
                self.close()
                for leftover in self._path.parent.glob(f"{self._path.name}.*"):
                    if leftover.suffix in {".wal", ".shadow", ".tmp"}:
                        leftover.unlink()
                (workplace / self._path.name).replace(self._path)
            finally:
                shutil.rmtree(workplace, ignore_errors=True)
        self._open()
        return self.manifest

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, object] | None = None,
        *,
        read_only: bool = True,
        limit: int | None = ROW_LIMIT,
        timeout: float | None = TIME_LIMIT,
    ) -> QueryResult:
        """Run one statement; see `GraphStore.query`."""
        if not read_only:
            self._writable()
        checked = check_query(cypher, write=not read_only)
        values = bind(checked, parameters or {})
        connection = self._open_connection()
        connection.set_query_timeout(0 if timeout is None else max(1, int(timeout * 1000)))
        guarded = read_only and not self._read_only
        try:
            if guarded:
                connection.execute("BEGIN TRANSACTION READ ONLY")
            answer = fetch(connection.execute(checked.text, values), limit)
            if guarded:
                connection.execute("COMMIT")
            return answer
        except RuntimeError as error:
            raise self._explain(error, timeout) from error
        finally:
            connection.set_query_timeout(0)

    def search(self, words: str, limit: int = 20) -> list[Hit]:
        """Find concepts; see `GraphStore.search`.

        The index is made from the bundle beside the file, where that is the one the store holds, else from its names.
        """
        beside = self._path.parent
        if (beside / "manifest.json").exists():
            bundle = Bundle.open(beside)
            if bundle.hash == self.manifest.hash:
                return search_concepts(bundle, words, limit)
        keys = ("id", "name", "category", "source", "deprecated", "synonyms", "equivalents")
        rows = self._rows(f"MATCH (c:Concept) RETURN {', '.join(f'c.{key}' for key in keys)}")
        return ConceptIndex(NamedConcepts.of(dict(zip(keys, row, strict=True)) for row in rows)).search(words, limit)

    def write_diagnoses(self, run: str, diagnoses: Sequence[DiagnosisRecord]) -> int:
        """Record diagnoses; see `GraphStore.write_diagnoses`."""
        self._writable()
        records = check_diagnoses(run, diagnoses)
        names = self._names(concepts_of(records))
        unknown_concepts(records, set(names), self.url)
        with user_errors(self._path), _clear_errors(self._path), self._transaction():
            self._delete(run, sorted({one.admission for one in records}))
            _copy_diagnoses(self._open_connection(), run, records, names)
        return len(records)

    def remove_diagnoses(self, run: str | None = None) -> int:
        """Remove diagnoses and the admissions left without any; see `GraphStore.remove_diagnoses`."""
        self._writable()
        with user_errors(self._path), _clear_errors(self._path), self._transaction():
            removed = self._delete(run, None)
            self._rows("MATCH (a:Admission) WHERE NOT EXISTS { MATCH (a)-[:HAS_DIAGNOSIS]->(:Diagnosis) } DELETE a")
        return removed

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
        if self._database is not None:
            self._database.close()
        self._connection = self._database = None

    def __enter__(self) -> Self:
        """Give the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    def _open(self) -> None:
        with _clear_errors(self._path):
            self._database = _database(self._path, read_only=self._read_only, buffer=_QUERY_BUFFER)
            self._connection = ladybug.Connection(self._database)
        tables = {row[0] for row in self._rows("CALL show_tables() RETURN name")}
        if not {"Concept", "Evidence", "Source", "Bundle"} <= tables:
            self.close()
            raise InputError("is a Ladybug database but not a graph of this project", where=self._path, remedy=_REBUILD)
        states = [row[0] for row in self._rows("MATCH (b:Bundle) RETURN b.state")]
        if self._read_only and states != [READY]:
            self.close()
            raise InputError("was loaded by another version of this project", where=self._path, remedy=_REBUILD)

    def _open_connection(self) -> ladybug.Connection:
        if self._connection is None:
            raise InputError("holds no graph yet", where=self._path, remedy="load one with `kg build`")
        return self._connection

    def _writable(self) -> None:
        if self._read_only:
            raise InputError("is open for reading only", where=self._path, remedy="open it with read_only=False")

    def _rows(self, cypher: str, values: dict[str, Any] | None = None) -> list[list[Any]]:
        """Run trusted text."""
        return _all(self._open_connection(), cypher, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self._open_connection()
        connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            _undo(connection)
            raise
        connection.execute("COMMIT")

    def _explain(self, error: RuntimeError, timeout: float | None) -> Exception:
        text = " ".join(str(error).split())
        if text.startswith("Interrupted"):
            return InputError(f"the query took longer than {timeout:g} s", remedy="narrow it, or allow it more time")
        if "Buffer manager exception" in text:
            return InputError("the query needs more memory than it may have", remedy="narrow it")
        return InputError(f"the query does not run on this store: {text}", where=self.url)

    def _names(self, ids: set[str]) -> dict[str, str]:
        if not ids:
            return {}
        rows = self._rows("MATCH (c:Concept) WHERE c.id IN $ids RETURN c.id, c.caption", {"ids": sorted(ids)})
        return {row[0]: row[1] for row in rows}

    def _delete(self, run: str | None, admissions: list[str] | None) -> int:
        where = " AND ".join(
            [*(["d.run = $run"] if run is not None else []), *(["a.id IN $admissions"] if admissions else [])]
        )
        if admissions == []:
            return 0
        values = {"run": run} if run is not None else {}
        wanted: dict[str, Any] = {**values, **({"admissions": admissions} if admissions else {})}
        match = "MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)" + (f" WHERE {where}" if where else "")
        count = int(self._rows(f"{match} RETURN count(d)", wanted)[0][0])
        if count:
            self._rows(f"{match} DETACH DELETE d", wanted)
        return count

    def _recorded(self) -> dict[str, list[DiagnosisRecord]]:
        """Read back every diagnosis, by run."""
        if self._connection is None:
            return {}
        links: dict[str, list[Support]] = {}
        for diagnosis, concept, weight, statement in self._rows(
            "MATCH (d:Diagnosis)-[s:SUPPORTED_BY]->(c:Concept) RETURN d.id, c.id, s.weight, s.statement"
        ):
            links.setdefault(diagnosis, []).append(Support(concept, weight, statement))
        runs: dict[str, list[DiagnosisRecord]] = {}
        for id_, run, admission, disease, probability, rank in self._rows(
            "MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)-[:OF]->(c:Concept) "
            "RETURN d.id, d.run, a.id, c.id, d.probability, d.rank"
        ):
            support = tuple(links.get(id_, ()))
            runs.setdefault(run, []).append(DiagnosisRecord(admission, disease, probability, rank, support))
        return runs

    def _still_needed(self, recorded: Mapping[str, Sequence[DiagnosisRecord]], tables: GraphTables) -> pl.DataFrame:
        """Give the concepts of old diagnoses that the new bundle no longer has, marked deprecated."""
        kinds: Schema = {name: _FRAME_TYPES.get(_TYPES.get(name, "STRING"), pl.String) for name in CONCEPT_COLUMNS}
        needed = {id_ for records in recorded.values() for id_ in concepts_of(records)}
        needed -= tables.known(needed)
        if not needed:
            return pl.DataFrame(schema=kinds)
        say(f"{len(needed)} concepts that the bundle no longer has are still referred to; they stay, marked deprecated")
        columns = ", ".join(f"c.{name}" for name in CONCEPT_COLUMNS)
        text = f"MATCH (c:Concept) WHERE c.id IN $ids RETURN {columns} ORDER BY c.id"
        rows = self._rows(text, {"ids": sorted(needed)})
        return pl.DataFrame(rows, schema=kinds, orient="row").with_columns(deprecated=pl.lit(True))

    def _build(
        self,
        path: Path,
        workplace: Path,
        tables: GraphTables,
        bundle: BundleFiles,
        recorded: Mapping[str, Sequence[DiagnosisRecord]],
        old: pl.DataFrame,
    ) -> None:
        database = _database(path, read_only=False, buffer=0)
        connection = ladybug.Connection(database)
        try:
            for statement in schema(tables.relations):
                connection.execute(statement)
            total = tables.concepts + tables.statements + tables.evidence
            with bar(f"loading {self._path.name}", total) as advance:
                concepts = workplace / "concepts.parquet"
                tables.write_concepts(concepts)
                _copy_file(connection, "Concept", concepts, tables.concepts, workplace)
                advance(tables.concepts)
                _copy(connection, "Concept", old, workplace)
                _copy(connection, "Source", tables.sources, workplace)
                for predicate, rows in tables.relations.items():
                    _copy_file(connection, predicate.relationship, tables.relation_file(predicate), rows, workplace)
                    advance(rows)
                _copy_file(connection, "Evidence", tables.evidence_file, tables.evidence, workplace)
                advance(tables.evidence)
            diagnosed = {id_ for records in recorded.values() for id_ in concepts_of(records)}
            captions = "MATCH (c:Concept) WHERE c.id IN $ids RETURN c.id, c.caption"
            names = dict(_all(connection, captions, {"ids": sorted(diagnosed)})) if diagnosed else {}
            for run, records in sorted(recorded.items()):
                _copy_diagnoses(connection, run, records, names)
            manifest = manifest_of(bundle, tables)
            connection.execute(
                "CREATE (:Bundle {id: 'bundle', hash: $hash, state: $state, manifest: $manifest})",
                {"hash": bundle.hash, "state": READY, "manifest": manifest_text(manifest)},
            )
        finally:
            connection.close()
            database.close()


_REBUILD = "build it again with `kg build`"


def _database(path: Path, *, read_only: bool, buffer: int) -> ladybug.Database:
    return ladybug.Database(path, read_only=read_only, buffer_pool_size=buffer, max_db_size=_LARGEST_FILE)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Say in one line what Ladybug's errors about files mean."""
    try:
        yield
    except RuntimeError as error:
        text = " ".join(str(error).split())
        low = text.lower()
        if "lock" in low:
            raise InputError("is open in another process", where=path, remedy="close it there and try again") from error
        if "no space" in low:
            raise InputError("no space left on the device", where=path, remedy="free some space, run again") from error
        if "permission denied" in low or "read-only file system" in low:
            raise InputError("no permission", where=path, remedy="choose another place or change its owner") from error
        if "not a valid" in low or "storage version" in low or "corrupt" in low or "checksum" in low:
            raise InputError(f"not a readable Ladybug database ({text})", where=path, remedy=_REBUILD) from error
        raise StoreError(f"{path}: {text}") from error


def _copy(connection: ladybug.Connection, table: str, rows: pl.DataFrame, workplace: Path) -> int:
    """Load rows into a table; for a relationship table the first two columns are the ends."""
    if rows.height:
        file = workplace / "rows.parquet"
        rows.write_parquet(file, compression="uncompressed")
        connection.execute(f"COPY {table} FROM '{_quoted(file)}'")
        file.unlink()
    return rows.height


def _copy_file(connection: ladybug.Connection, table: str, file: Path, rows: int, workplace: Path) -> None:
    """Load a Parquet file whose columns are those of the table, in their order."""
    if rows:
        link = workplace / "linked.parquet"  # the bundle's own path may hold signs that Ladybug takes for a pattern
        link.symlink_to(file.resolve())
        connection.execute(f"COPY {table} FROM '{_quoted(link)}'")
        link.unlink()


def _quoted(path: Path) -> str:
    text = str(path)
    if any(letter in text for letter in "*?["):
        raise InputError("Ladybug reads * ? [ in a path as a pattern", where=path, remedy="set TMPDIR to another place")
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _copy_diagnoses(
    connection: ladybug.Connection, run: str, records: Sequence[DiagnosisRecord], names: Mapping[str, str]
) -> None:
    present = {row[0] for row in _all(connection, "MATCH (a:Admission) RETURN a.id")}
    new = sorted({one.admission for one in records} - present)
    ids = [one.id(run) for one in records]
    links = [(id_, link) for id_, one in zip(ids, records, strict=True) for link in one.support]
    text, number = pl.String, pl.Float64
    frames = {
        "Admission": pl.DataFrame({"id": new}, schema={"id": text}),
        "Diagnosis": pl.DataFrame(
            {
                "id": ids,
                "probability": [float(one.probability) for one in records],
                "rank": [one.rank for one in records],
                "run": [run] * len(ids),
                "caption": [names[one.disease] for one in records],
            },
            schema={"id": text, "probability": number, "rank": pl.Int64, "run": text, "caption": text},
        ),
        "HAS_DIAGNOSIS": pl.DataFrame({"from": [one.admission for one in records], "to": ids}, schema=_ENDS),
        "OF": pl.DataFrame({"from": ids, "to": [one.disease for one in records]}, schema=_ENDS),
        "SUPPORTED_BY": pl.DataFrame(
            {
                "from": [id_ for id_, _ in links],
                "to": [link.concept for _, link in links],
                "weight": [float(link.weight) for _, link in links],
                "statement": [link.statement for _, link in links],
            },
            schema={**_ENDS, "weight": number, "statement": text},
        ),
    }
    with tempfile.TemporaryDirectory() as directory:
        for table, rows in frames.items():
            _copy(connection, table, rows, Path(directory))


def _undo(connection: ladybug.Connection) -> None:
    """Roll back, where Ladybug has not done so of itself after an error."""
    try:
        connection.execute("ROLLBACK")
    except RuntimeError as error:
        if "No active transaction" not in str(error):
            raise


def _all(connection: ladybug.Connection, cypher: str, values: dict[str, Any] | None = None) -> list[list[Any]]:
    result: Any = connection.execute(cypher, values or {})
    rows: list[list[Any]] = result.get_all()
    return rows


_ENDS = {"from": pl.String, "to": pl.String}
