"""Tables of further names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.formats import FORMATS
from kg.readers.names import Columns, read_names
from kg.readers.records import Name, Record, Reject
from kg.readers.source import Context
from kg.sources import parse_source
from kg.types import Synonym

HPO = Path(__file__).parents[2].parent / "shared" / "data" / "hpo"
LAY = '?term\t?term_label\t?layperson\n<http://purl.obolibrary.org/obo/HP_0200040>\t"Epidermoid cyst"\t"Skin cyst"\n'


def names(path: Path, text: str, options: str = "") -> list[Record]:
    path.write_bytes(text.encode())
    source = parse_source(f"names:{path}{options}")
    assert source is not None
    return list(FORMATS["names"].read(source, Context()))[1:]


def test_the_tsv_of_a_sparql_query(tmp_path: Path) -> None:
    text = (
        LAY
        + '<http://purl.obolibrary.org/obo/HP_0001945>\t"Fever"@en\t'
        + '"hot \\"body\\"\\tand \\u00e9\\U0001F600\\uD800"@en-GB\n'
    )
    assert names(tmp_path / "lay.tsv", text, "?kind=layperson") == [
        Name("HP:0200040", Synonym("Skin cyst", "exact", "layperson")),
        Name("HP:0001945", Synonym('hot "body" and é😀\\uD800', "exact", "layperson")),
    ]


def test_columns_scope_and_vocabulary_can_be_named(tmp_path: Path) -> None:
    text = 'number,consumer,x\n2160-0,"Creatinine, blood",1\nLNC:718-7,"Hemo\nglobin",2\n'
    assert names(tmp_path / "c.csv", text, "?id=Number&text=consumer&vocabulary=loinc&scope=related&kind=lay") == [
        Name("LOINC:2160-0", Synonym("Creatinine, blood", "related", "lay")),
        Name("LOINC:718-7", Synonym("Hemo globin", "related", "lay")),
    ]


def test_a_column_of_scopes_goes_before_the_option(tmp_path: Path) -> None:
    text = "id\tname\tscope\tkind\nHP:1\ta\tBroad\tjargon\nHP:2\tb\t\t\nHP:3\tc\todd\t\n"
    found = names(tmp_path / "c.tsv", text, "?scope=narrow&kind=lay")
    assert found[:2] == [Name("HP:1", Synonym("a", "broad", "jargon")), Name("HP:2", Synonym("b", "narrow", "lay"))]
    assert found[2] == Reject("line 4", "unknown scope 'odd', expected one of exact, narrow, broad, related")


def test_only_ids_of_some_prefixes(tmp_path: Path) -> None:
    text = "id,name\nHP:1,a\nDOID:2,b\n"
    assert names(tmp_path / "c.csv", text, "?prefix=DOID") == [Name("DOID:2", Synonym("b"))]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0001945,fever", "'0001945' gives no CURIE"),
        (",fever", "'' gives no CURIE"),
        ("HP:1,", "an id without a name"),
        (f"HP:1,{'x' * 1200}", "a name of 1200 characters"),
        ("HP:1", "1 columns, expected 2"),
    ],
)
def test_a_bad_row_of_names(tmp_path: Path, row: str, reason: str) -> None:
    assert names(tmp_path / "c.csv", f"id,name\nHP:2,b\n{row}\n")[1] == Reject("line 3", reason)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\nHP:1,x\n", "", r"no column of ids, found a, b; name it with \?id=COLUMN"),
        ("id,b\nHP:1,x\n", "", r"no column of names, found id, b; name it with \?text=COLUMN"),
        ("id,b\nHP:1,x\n", "?text=c", r"no column 'c', found id, b"),
        ("id,name\nHP:1,x\n", "?scope=odd", r"option scope is 'odd'; expected exact, narrow, broad, related"),
    ],
)
def test_a_table_that_needs_more_is_one_clear_line(tmp_path: Path, text: str, options: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        names(tmp_path / "c.csv", text, options)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=9)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=5))
def test_every_name_comes_back(tmp_path: Path, texts: list[str]) -> None:
    rows = "".join(f'HP:{n},"{text.replace(chr(34), chr(34) * 2)}"\n' for n, text in enumerate(texts))
    found = names(tmp_path / "c.csv", "id,name\n" + rows)
    assert found == [Name(f"HP:{n}", Synonym(text)) for n, text in enumerate(texts)]
    escaped = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    rows = "".join(f'<http://purl.obolibrary.org/obo/HP_{n}>\t"{text}"\n' for n, text in enumerate(escaped))
    assert names(tmp_path / "c.tsv", "?id\t?name\n" + rows) == found


@pytest.mark.skipif(not HPO.is_dir(), reason="no real names here")
def test_the_lay_synonyms_of_hpo() -> None:
    found = list(read_names(HPO / "layperson-synonyms.tsv.gz", "lay", Columns(kind="layperson")))[1:]
    assert len(found) == 7186
    assert all(isinstance(one, Name) and one.concept.startswith("HP:") for one in found)
    assert Name("HP:0200040", Synonym("Skin cyst", "exact", "layperson")) in found
