"""The rows that every store is loaded with, batch by batch from a bundle's Parquet files.

Both stores are filled from these rows alone, so they cannot differ in what they hold. Nothing is held whole: a bundle
of millions of statements is loaded in the memory of one batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ehr.errors import InputError
from kg.bundle import check_schema, intact, table_files
from kg.content import quoted
from kg.duck import connect
from kg.readers.records import REPLACED_BY
from kg.schema import CONCEPTS, EVIDENCE, MAPPINGS, STATEMENTS, SYNONYMS
from kg.stores.base import BundleFiles
from kg.vocabulary import Category, Predicate

CAPTION_LENGTH = 40
BATCH = 50_000
_MEMORY = "600MB"
_CHAIN = 8
"""Steps from a former id to the current one that are followed."""

CONCEPT_COLUMNS = (
    "id",
    "name",
    "category",
    "caption",
    "definition",
    "source",
    "synonyms",
    "deprecated",
    "equivalents",
    "former",
)
RELATION_COLUMNS = ("predicate", "statement", "sources", "weight", "negated", "publications", "checked")
EVIDENCE_COLUMNS = tuple(EVIDENCE)
SOURCE_COLUMNS = ("id", "version", "licence", "open", "sha256", "caption")

_WHOLE = {"concepts": CONCEPTS, "synonyms": SYNONYMS, "mappings": MAPPINGS, "evidence": EVIDENCE}
"""Tables that are one file each and are read."""
_AGAIN = "build the bundle again with `kg build`"


class GraphTables:
    """Rows of one bundle.

    Attributes:
        concepts, evidence: numbers of rows.
        relations: number of rows by predicate, those without any left out.
        sources: columns `SOURCE_COLUMNS`: what the evidence names, with licence and hash of the file.
    """

    def __init__(self, bundle: BundleFiles) -> None:
        """Look at a bundle's files.

        Raises:
            InputError: where a file or column is missing; and, where the files are not those that the manifest tells
                of, for a category or predicate that is unknown, an id that stands twice, a statement that names a
                concept that is not there, or evidence of no statement.
        """
        self.path = bundle.path
        self._files = {
            predicate: bundle.path / "statements" / f"{predicate.relationship}.parquet" for predicate in Predicate
        }
        for name, schema in (
            ("concepts", CONCEPTS),
            ("synonyms", SYNONYMS),
            ("mappings", MAPPINGS),
            ("evidence", EVIDENCE),
        ):
            check_schema(bundle.path / f"{name}.parquet", schema)
        for file in table_files(bundle.path, "statements"):
            check_schema(file, STATEMENTS)
        if not intact(bundle.path, bundle.manifest):  # type: ignore[arg-type]
            _check(bundle.path)
        self.concepts = _rows(bundle.path / "concepts.parquet")
        self.evidence = _rows(bundle.path / "evidence.parquet")
        self.relations = {one: _rows(file) for one, file in self._files.items() if file.is_file() and _rows(file)}
        self.sources = _sources(bundle.manifest)

    @property
    def statements(self) -> int:
        """Number of relations of all predicates."""
        return sum(self.relations.values())

    @property
    def evidence_file(self) -> Path:
        """The evidence as Parquet with exactly `EVIDENCE_COLUMNS`."""
        return self.path / "evidence.parquet"

    def relation_file(self, predicate: Predicate) -> Path:
        """Give the relations of a predicate as Parquet, ``statement`` as ``id``; see `kg.schema.STATEMENTS`."""
        return self._files[predicate]

    def known(self, ids: Collection[str]) -> set[str]:
        """Give those of some ids that are concepts of the bundle."""
        concepts = pl.scan_parquet(self.path / "concepts.parquet", glob=False).select("id")
        return set(concepts.filter(pl.col("id").is_in(sorted(ids))).collect()["id"])

    def concept_batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """Give the concepts by id, with the columns `CONCEPT_COLUMNS`."""
        with self._concepts() as rows:
            for batch in rows.to_arrow_reader(size):
                if batch.num_rows:
                    yield pl.DataFrame(batch)

    def write_concepts(self, file: Path) -> None:
        """Write the concepts as Parquet with exactly `CONCEPT_COLUMNS`."""
        with self._concepts() as rows:
            rows.write_parquet(str(file), compression="uncompressed")

    def relation_batches(self, predicate: Predicate, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """Give the relations of one predicate by subject and object: ``subject``, ``object``, `RELATION_COLUMNS`."""
        if predicate in self.relations:
            for batch in pq.ParquetFile(self._files[predicate]).iter_batches(size, columns=list(STATEMENTS)):
                frame = pl.DataFrame(pa.table(batch)).rename({"id": "statement"})
                yield frame.select("subject", "object", *RELATION_COLUMNS)

    def evidence_batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """Give the evidence in the order of the statements, with the columns `EVIDENCE_COLUMNS`."""
        for batch in pq.ParquetFile(self.evidence_file).iter_batches(size, columns=list(EVIDENCE_COLUMNS)):
            yield pl.DataFrame(pa.table(batch)).select(EVIDENCE_COLUMNS)

    def _concepts(self) -> _Query:
        return _Query(
            f"""SELECT c.id, c.name, c.category,
                CASE WHEN length(c.name) > {CAPTION_LENGTH} THEN c.name[:{CAPTION_LENGTH - 1}] || '…' ELSE c.name END
                    AS caption,
                c.definition, c.source, coalesce(s.synonyms, []) AS synonyms, c.deprecated, c.equivalents,
                coalesce(f.former, []) AS former
            FROM read_parquet({quoted([self.path / "concepts.parquet"])}) c
            LEFT JOIN (
                SELECT concept, list_sort(list_distinct(list(text))) AS synonyms
                FROM read_parquet({quoted([self.path / "synonyms.parquet"])}) GROUP BY concept
            ) s ON s.concept = c.id LEFT JOIN ({_former(self.path)}) f ON f.id = c.id ORDER BY c.id"""
        )


def _former(path: Path) -> str:
    """Give a query for the former ids of each concept, through chains and cliques."""
    return f"""WITH RECURSIVE leader AS (
            SELECT unnest(equivalents) AS id, id AS now FROM read_parquet({quoted([path / "concepts.parquet"])})
        ), step AS (
            SELECT p.former, coalesce(l.now, p.now) AS now FROM (
                SELECT subject AS former, object AS now FROM read_parquet({quoted([path / "mappings.parquet"])})
                WHERE predicate = '{REPLACED_BY}'
                UNION SELECT id, replaced_by FROM read_parquet({quoted([path / "concepts.parquet"])})
                WHERE replaced_by IS NOT NULL
            ) p LEFT JOIN leader l ON l.id = p.now
        ), chain AS (
            SELECT former, now, 1 AS steps FROM step
            UNION SELECT c.former, s.now, c.steps + 1 FROM chain c JOIN step s ON s.former = c.now
            WHERE c.steps < {_CHAIN}
        )
        SELECT now AS id, list_sort(list_distinct(list(former))) AS former
        FROM chain WHERE former <> now GROUP BY now"""


class _Query:
    """A query over Parquet files that may go to disk."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> duckdb.DuckDBPyRelation:
        self._spill = tempfile.TemporaryDirectory(prefix="clinragen-")
        self._connection = connect(_MEMORY, Path(self._spill.name))
        return self._connection.sql(self._text)

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._spill.cleanup()


def _rows(file: Path) -> int:
    return int(pq.read_metadata(file).num_rows)


def _sources(manifest: Mapping[str, object]) -> pl.DataFrame:
    entries = manifest.get("sources")
    rows = [
        (
            str(one.get("name", "")),
            str(one.get("version") or ""),
            str(one.get("licence") or ""),
            bool(one.get("open", False)),
            str(one.get("sha256") or ""),
            " ".join(filter(None, (str(one.get("name", "")), str(one.get("version") or "")))),
        )
        for one in (entries if isinstance(entries, list) else [])
        if isinstance(one, Mapping) and one.get("status", "loaded") == "loaded"
    ]
    schema = {name: pl.Boolean if name == "open" else pl.String for name in SOURCE_COLUMNS}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("id")


def _check(path: Path) -> None:
    """Refuse a bundle that contradicts itself; one whose files are those of its manifest was checked when built."""
    concepts = pl.scan_parquet(path / "concepts.parquet", glob=False)
    files = table_files(path, "statements")
    statements = pl.scan_parquet(files, glob=False) if files else pl.LazyFrame(schema=STATEMENTS)
    evidence = pl.scan_parquet(path / "evidence.parquet", glob=False)
    for name, frame, column, known in (
        ("concepts.parquet", concepts, "category", [one.value for one in Category]),
        ("statements", statements, "predicate", [one.value for one in Predicate]),
    ):
        strange = frame.filter(~pl.col(column).is_in(known)).select(column).head(1).collect()
        if strange.height:
            raise InputError(f"unknown {column} {strange.item()!r}", where=path / name, remedy=_AGAIN)
    for name, frame in (("concepts.parquet", concepts), ("statements", statements)):
        twice = frame.group_by("id").len().filter((pl.col("len") > 1) | pl.col("id").is_null()).sort("id").collect()
        if twice.height:
            raise InputError(f"id {twice['id'][0]} stands twice", where=path / name, remedy=_AGAIN)
    for column in ("subject", "object"):
        loose = statements.join(concepts, left_on=column, right_on="id", how="anti").select("id", column).collect()
        if loose.height:
            raise InputError(
                f"{loose.height} statements name a concept that is not there, the first is {loose['id'][0]} with "
                f"{column} {loose[column][0]}",
                where=path / "statements",
                remedy=_AGAIN,
            )
    stray = evidence.join(statements, left_on="statement", right_on="id", how="anti").select("statement").collect()
    if stray.height:
        raise InputError(
            f"{stray.height} evidences belong to no statement, the first names {stray['statement'][0]}",
            where=path / "evidence.parquet",
            remedy=_AGAIN,
        )
