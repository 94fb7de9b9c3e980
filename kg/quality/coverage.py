"""How much of a cohort's codes and drugs the graph covers.

Covered is an id that is a concept of the graph, or another id of one; an ICD code also where a code above it is, down
to the first digit after the point: a category of three characters is too coarse. Drugs are looked up as `kg.link` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import duckdb
import polars as pl

from ehr.cohort import Cohort
from ehr.errors import InputError
from kg.bundle import Bundle
from kg.content import quoted
from kg.link.match import Matcher
from kg.link.names import compile_names, known_words
from kg.link.words import cut
from kg.quality.types import Coverage, Unmapped
from kg.readers.curies import normalise
from kg.schema import STATEMENTS
from kg.vocabulary import Category

PATIENTS = 5
"""A code or name is listed only where at least so many patients have it: a report is no place to find a person."""
_LISTED = 1_000

Sql = duckdb.DuckDBPyConnection
_Counted = list[tuple[str, int, int]]
"""Code, rows, patients."""


def coverage(sql: Sql, bundle: Bundle, path: Path) -> tuple[Coverage, ...]:
    """Compare a cohort with the bundle ``b`` of the connection.

    A table that the cohort lacks (made by an earlier version) gives an entry that says so.

    Raises:
        InputError: where this is no cohort.
    """
    cohort = Cohort.open(path)
    sql.execute(
        "CREATE TABLE known AS SELECT id FROM b.concepts UNION SELECT unnest(equivalents) AS id FROM b.concepts"
    )
    found: list[Coverage] = []
    for what, table, column in (
        ("ICD", "codes", "system || ':' || code"),
        ("LOINC", "series", "code"),
        ("drugs", "medications", "name"),
    ):
        try:
            file = _file(cohort, table)
        except InputError as error:
            found.append(Coverage(what, 0, 0, 0, 0, (), 0, str(error)))
            continue
        counted = _count(sql, cohort, file, column)
        if what == "ICD":
            for system in ("ICD10CM", "ICD9CM"):
                part = [one for one in counted if one[0].startswith(f"{system}:")]
                if part:
                    found.append(_compare(system, part, lambda codes: _known(sql, icd_spellings(codes))))
        elif what == "LOINC":
            found.append(_compare(what, counted, lambda codes: _known(sql, {c: [normalise(c)] for c in codes})))
        else:
            found.append(_compare(what, counted, lambda names: _named(bundle, names)))
    return tuple(found)


def _file(cohort: Cohort, table: str) -> Path:
    cohort.scan(table)  # says which command makes it where it is missing
    return cohort.table_path(table)


def _count(sql: Sql, cohort: Cohort, file: Path, column: str) -> _Counted:
    """Count rows and patients by code, without a table of all pairs of a code and a patient in memory at once."""
    return sql.execute(
        f"""SELECT code, sum(n)::BIGINT, count(DISTINCT patient_id) FROM (
            SELECT {column} AS code, admission_id, count(*) AS n FROM read_parquet({quoted([file])})
            WHERE {column} IS NOT NULL GROUP BY ALL
        ) LEFT JOIN read_parquet({quoted([_file(cohort, "admissions")])}) a USING (admission_id)
        GROUP BY code ORDER BY code"""
    ).fetchall()


def _compare(what: str, counted: _Counted, covered_of: Callable[[list[str]], set[str]]) -> Coverage:
    covered = covered_of([code for code, _, _ in counted])
    lost = sorted((one for one in counted if one[0] not in covered), key=lambda one: (-one[1], one[0]))
    shown = [Unmapped(code, rows) for code, rows, patients in lost if patients >= PATIENTS]
    return Coverage(
        what,
        len(counted),
        len(counted) - len(lost),
        sum(rows for _, rows, _ in counted),
        sum(rows for code, rows, _ in counted if code in covered),
        tuple(shown[:_LISTED]),
        len(lost) - len(shown),
    )


def icd_spellings(codes: Iterable[str]) -> dict[str, list[str]]:
    """Give the ids that cover an ICD code: its own, with and without point, and of the codes above with a point.

    >>> icd_spellings(["ICD9CM:42823"])["ICD9CM:42823"]
    ['ICD9CM:42823', 'ICD9CM:428.23', 'ICD9CM:428.2']
    """
    found: dict[str, list[str]] = {}
    for identifier in codes:
        system, _, code = identifier.partition(":")
        # Supplementary codes for external causes (E878.8) are the only ones with four characters before the point.
        size = 4 if system == "ICD9CM" and code.startswith("E") else 3
        above = [f"{code[:size]}.{code[size:end]}" for end in range(len(code), size, -1)]
        found[identifier] = [f"{system}:{one}" for one in (code, *above)]
    return found


def _known(sql: Sql, spellings: Mapping[str, list[str]]) -> set[str]:
    pairs = [(code, one) for code, ids in spellings.items() for one in ids]
    sql.register("asked", pl.DataFrame(pairs, schema={"code": pl.String, "id": pl.String}, orient="row").to_arrow())
    rows = sql.execute("SELECT DISTINCT code FROM asked SEMI JOIN known USING (id)").fetchall()
    sql.unregister("asked")
    return {str(row[0]) for row in rows}


class _Drugs(Bundle):
    """The part of a bundle that names drugs, so that nothing else is compiled."""

    def table(self, name: str) -> pl.LazyFrame:
        if name == "statements":
            return pl.LazyFrame(schema=STATEMENTS)
        table = super().table(name)
        return table.filter(pl.col("category") == Category.DRUG.value) if name == "concepts" else table


def _named(bundle: Bundle, names: list[str]) -> set[str]:
    """Give the names in which linking finds a drug."""
    matcher = Matcher(compile_names(_Drugs(bundle.path, bundle.manifest)), known_words(bundle))
    return {name for name in names if matcher.find(cut(name))}
