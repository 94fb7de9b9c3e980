"""The rows that every store is loaded with, joined from a bundle's Parquet files.

Both stores are filled from these frames alone, so they cannot differ in what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from kg.stores.base import BundleFiles
from kg.vocabulary import Category, Predicate

CAPTION_LENGTH = 40

CONCEPT_COLUMNS = ("id", "name", "category", "caption", "definition", "source", "synonyms", "deprecated")
RELATION_COLUMNS = ("predicate", "statement", "sources", "weight", "negated", "publications", "checked")
EVIDENCE_COLUMNS = (
    "id",
    "statement",
    "subject",
    "predicate",
    "object",
    "negated",
    "source",
    "version",
    "publications",
    "weight",
    "frequency",
    "subject_as_written",
    "object_as_written",
    "checked",
    "note",
    "caption",
)


@dataclass(frozen=True, slots=True)
class GraphTables:
    """Rows of one bundle.

    Attributes:
        concepts: columns `CONCEPT_COLUMNS`, sorted by id.
        relations: ``subject``, ``object`` and `RELATION_COLUMNS`, sorted by predicate, subject and object.
        evidence: columns `EVIDENCE_COLUMNS`, sorted by statement.
    """

    concepts: pl.DataFrame
    relations: pl.DataFrame
    evidence: pl.DataFrame

    def relations_of(self, predicate: Predicate) -> pl.DataFrame:
        """Give the relations of one predicate."""
        return self.relations.filter(pl.col("predicate") == predicate.value)

    def concepts_of(self, category: Category) -> pl.DataFrame:
        """Give the concepts of one category."""
        return self.concepts.filter(pl.col("category") == category.value)


def read_tables(bundle: BundleFiles) -> GraphTables:
    """Read and join a bundle's files.

    Raises:
        InputError: where a file or column is missing, a category or predicate is unknown, an id stands twice, or a
            statement names a concept that is not there.
    """
    concepts = _read(bundle.path, "concepts", ("id", "category", "name", "definition", "source", "deprecated"))
    synonyms = _read(bundle.path, "synonyms", ("concept", "text"))
    statements = _read(
        bundle.path, "statements", ("id", "subject", "predicate", "object", "negated", "weight", "sources")
    )
    evidence = _read(
        bundle.path,
        "evidence",
        (
            "statement",
            "source",
            "version",
            "publications",
            "weight",
            "frequency",
            "subject_as_written",
            "object_as_written",
            "checked",
            "note",
        ),
    )
    _known(bundle.path / "concepts.parquet", concepts, "category", {one.value for one in Category})
    _known(bundle.path / "statements.parquet", statements, "predicate", {one.value for one in Predicate})
    _whole(bundle.path, concepts, statements, evidence)
    return GraphTables(
        concepts=_concepts(concepts, synonyms),
        relations=_relations(statements, evidence),
        evidence=_evidence(statements, evidence),
    )


def _concepts(concepts: pl.DataFrame, synonyms: pl.DataFrame) -> pl.DataFrame:
    names = (
        synonyms.unique(["concept", "text"]).sort("concept", "text").group_by("concept").agg(synonyms=pl.col("text"))
    )
    short = pl.col("name").str.slice(0, CAPTION_LENGTH - 1) + "…"
    return (
        concepts.join(names, left_on="id", right_on="concept", how="left")
        .with_columns(
            pl.col("definition").fill_null(""),
            pl.col("deprecated").fill_null(False),
            pl.col("synonyms").fill_null([]),
            caption=pl.when(pl.col("name").str.len_chars() > CAPTION_LENGTH).then(short).otherwise(pl.col("name")),
        )
        .select(CONCEPT_COLUMNS)
        .sort("id")
    )


def _relations(statements: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Give each relation its citations, so that one click on it in Neo4j Browser shows them.

    ``checked`` is true where any citation was opened, false where all that were to be opened were not, else null.
    """
    cited = evidence.group_by("statement").agg(
        publications=pl.col("publications").explode(empty_as_null=False, keep_nulls=False).unique().sort(),
        checked=pl.col("checked").max(),
    )
    return (
        statements.rename({"id": "statement"})
        .join(cited, on="statement", how="left")
        .with_columns(pl.col("publications").fill_null([]))
        .select("subject", "object", *RELATION_COLUMNS)
        .sort("predicate", "subject", "object", "statement")
    )


def _evidence(statements: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Give each evidence of a statement a number, so that equal bundles give equal ids."""
    ends = statements.select(pl.col("id").alias("statement"), "subject", "predicate", "object", "negated")
    written = ("frequency", "subject_as_written", "object_as_written", "note", "version")
    order = ["statement", "source", "version", "subject_as_written", "object_as_written", "frequency", "note"]
    cited = pl.col("publications").list.join("; ")
    return (
        evidence.with_columns(pl.col(written).fill_null(""), pl.col("publications").fill_null([]))
        .with_columns(cited=cited)
        .sort(*order, "cited", "weight", "checked")
        .join(ends, on="statement", how="inner", maintain_order="left")
        .with_columns(number=pl.int_range(1, pl.len() + 1).over("statement"))
        .with_columns(
            id=pl.col("statement") + "." + pl.col("number").cast(pl.String),
            caption=pl.col("source")
            + pl.when(pl.col("version") != "").then(" " + pl.col("version")).otherwise(pl.lit("")),
        )
        .select(EVIDENCE_COLUMNS)
    )


def _read(directory: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    path = directory / f"{name}.parquet"
    try:
        rows = pl.scan_parquet(path, glob=False)
        present = rows.collect_schema()
        missing = [column for column in columns if column not in present]
        if missing:
            raise InputError(f"no column {missing[0]!r}, found {', '.join(present)}", where=path, remedy=_AGAIN)
        return rows.select(columns).collect()
    except FileNotFoundError as error:
        raise InputError("no such file", where=path, remedy=_AGAIN) from error
    except pl.exceptions.ComputeError as error:
        raise InputError("not a whole Parquet file", where=path, remedy=_AGAIN) from error


_AGAIN = "build the bundle again with `kg build`"


def _known(path: Path, frame: pl.DataFrame, column: str, allowed: set[str]) -> None:
    strange = sorted(set(frame[column].unique().drop_nulls().to_list()) - allowed)
    if strange:
        raise InputError(f"unknown {column} {strange[0]!r}", where=path, remedy=_AGAIN)


def _whole(path: Path, concepts: pl.DataFrame, statements: pl.DataFrame, evidence: pl.DataFrame) -> None:
    for name, frame in (("concepts", concepts), ("statements", statements)):
        twice = frame.filter(pl.col("id").is_duplicated() | pl.col("id").is_null())
        if twice.height:
            raise InputError(f"id {twice['id'][0]} stands twice", where=path / f"{name}.parquet", remedy=_AGAIN)
    for column in ("subject", "object"):
        loose = statements.join(concepts, left_on=column, right_on="id", how="anti")
        if loose.height:
            raise InputError(
                f"{loose.height} statements name a concept that is not there, the first is {loose['id'][0]} with "
                f"{column} {loose[column][0]}",
                where=path / "statements.parquet",
                remedy=_AGAIN,
            )
    stray = evidence.join(statements, left_on="statement", right_on="id", how="anti")
    if stray.height:
        raise InputError(
            f"{stray.height} evidences belong to no statement, the first names {stray['statement'][0]}",
            where=path / "evidence.parquet",
            remedy=_AGAIN,
        )
