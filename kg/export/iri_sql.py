"""`kg.readers.iris.expand` for whole columns: the same IRIs for the same CURIEs and addresses, made by DuckDB.

Of what is neither, some still gets an IRI, a well-formed one (a CURIE too long, or with signs that cannot be seen).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from kg.export.lines import quoted_sql
from kg.readers.curies import is_curie
from kg.readers.iris import ADDRESS, PLAIN, iri_head

_BLANK = r"[\x09-\x0d\x1c-\x20\x{85}\p{Z}]"
"""What Python counts as blanks."""


def define_iris(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> None:
    """Define the macro ``iri(id)``: the IRI of an id, null for what is neither a CURIE nor an address.

    Args:
        connection: where it is defined.
        queries: each gives one column of ids; the prefixes of all ids that the macro will meet.
    """
    union = " UNION ALL ".join(f"SELECT id FROM ({query}) t(id)" for query in queries)
    rows = connection.execute(
        f"SELECT DISTINCT split_part(id, ':', 1) FROM ({union}) WHERE contains(id, ':') ORDER BY 1"
    ).fetchall()
    prefixes = [str(prefix) for (prefix,) in rows if is_curie(f"{prefix}:x")]
    connection.execute(
        f"""CREATE MACRO local_part(t) AS
            CASE WHEN regexp_full_match(t, {quoted_sql(PLAIN)}) THEN t ELSE url_encode(t) END"""
    )
    keys = ", ".join(quoted_sql(one) for one in prefixes)
    heads = ", ".join(quoted_sql(iri_head(one)) for one in prefixes)
    connection.execute(
        f"""CREATE MACRO iri(c) AS CASE
            WHEN regexp_full_match(c, {quoted_sql(ADDRESS)}) THEN c
            WHEN NOT regexp_full_match(c, '[^:]+:(?s:.)+') OR regexp_matches(c, {quoted_sql(_BLANK)})
                OR starts_with(c[strpos(c, ':') + 1:], '//') THEN NULL
            ELSE MAP(CAST([{keys}] AS VARCHAR[]), CAST([{heads}] AS VARCHAR[]))[split_part(c, ':', 1)]
                || local_part(c[strpos(c, ':') + 1:])
            END"""
    )
