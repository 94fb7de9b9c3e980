from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.export.iri_sql import define_iris
from kg.export.lines import quoted_sql
from kg.readers.curies import normalise
from kg.readers.iris import ADDRESS, expand

PREFIXES = [
    "HP", "MONDO", "DOID", "UBERON", "CHEBI", "GO", "NCBITAXON", "ORPHA", "LOINC", "SNOMEDCT_US", "OMIM", "ICD10CM",
    "ICD9CM", "RXNORM", "CCS", "CRG", "UMLS", "MESH", "DRUGBANK", "NCIT", "MEDDRA", "HGNC",
]  # fmt: skip


@given(st.sampled_from(PREFIXES), st.from_regex(r"[A-Z0-9][A-Z0-9-]{0,9}", fullmatch=True))
def test_an_address_is_taken_apart_as_it_was_put_together(prefix: str, local: str) -> None:
    curie = normalise(f"{prefix}:{local}")
    assert normalise(str(expand(curie))) == curie


@pytest.mark.parametrize(
    ("curie", "iri"),
    [
        ("HP:0001945", "http://purl.obolibrary.org/obo/HP_0001945"),
        ("ORPHA:2590", "http://www.orpha.net/ORDO/Orphanet_2590"),
        ("ICD10CM:N17.9", "http://purl.bioontology.org/ontology/ICD10CM/N17.9"),
        ("UMLS:C0015967", "https://identifiers.org/umls:C0015967"),
        ("CCS:157", "urn:clinragen:ccs:157"),
        ("X.Y:a<b", "https://identifiers.org/x.y:a%3Cb"),
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("https://example.org/a b", None),
        ("https://example.org/<a>", None),
        ("https://example.org/100%", None),
        ("no curie", None),
        ("HP:", None),
        (":1", None),
        ("HP:1\n", None),
        ("", None),
    ],
)
def test_expand(curie: str, iri: str | None) -> None:
    assert expand(curie) == iri


def _in_sql(texts: list[str]) -> list[str | None]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (n INTEGER, id VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [*enumerate(texts)])
        define_iris(connection, ["SELECT id FROM t"])
        return [row[0] for row in connection.execute("SELECT iri(id) FROM t ORDER BY n").fetchall()]


SIGNS = st.characters(blacklist_categories=("Cs",))
IDS = st.one_of(
    st.builds("{}:{}".format, st.sampled_from([*PREFIXES, "x", "É", "http", "a b"]), st.text(SIGNS, max_size=6)),
    st.builds("https://example.org/{}".format, st.text(max_size=6, alphabet="ab/?#%20<>é :@")),
    st.text(SIGNS, max_size=8),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(IDS, min_size=1, max_size=20))
def test_whole_columns_give_the_same(texts: list[str]) -> None:
    for text, found in zip(texts, _in_sql(texts), strict=True):
        wanted = expand(text)
        # What is no CURIE only because a sign in it cannot be seen may get an IRI, but never a broken one.
        assert found == wanted or (wanted is None and re.fullmatch(ADDRESS + "|urn:[!-~]+", str(found)))


@settings(deadline=None, max_examples=60)
@given(st.text(SIGNS))
def test_a_text_stays_one_in_sql(text: str) -> None:
    with duckdb.connect() as connection:
        if "\x00" not in text:
            assert connection.execute(f"SELECT {quoted_sql(text)}").fetchone() == (text,)
