from __future__ import annotations

from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.cliques import MergeSettings
from kg.load import build_from
from kg.recipe import Recipe, read_recipe

OBO = "format-version: 1.4\n\n[Term]\nid: DOID:1\nname: one\n\n[Term]\nid: SYMP:1\nname: two\n"


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "down").mkdir(exist_ok=True)
    (tmp_path / "down" / "d.obo").write_text(OBO)
    path = tmp_path / "kg.toml"
    path.write_text(text)
    return path


def test_a_recipe_says_everything_that_the_command_line_can(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [build]
        data = "down"
        cohort = "cohort"
        strict = true
        stores = ["ladybug:graph/graph.lbug", "neo4j://127.0.0.1:7687"]
        [merge]
        priority = ["mondo", "Orphanet"]
        limit = 9
        cross_references = []
        [[source]]
        use = "hpo"
        [[source]]
        use = "obo:down/d.obo"
        prefix = ["DOID", "SYMP"]
        category = "Disease"
        """,
    )
    recipe = read_recipe(path)
    assert recipe.sources == ("hpo", f"obo:{tmp_path}/down/d.obo?prefix=DOID%2CSYMP&category=Disease")
    assert recipe.stores == (f"ladybug:{tmp_path}/graph/graph.lbug", "neo4j://127.0.0.1:7687")
    assert (recipe.data, recipe.cohort, recipe.strict) == (tmp_path / "down", tmp_path / "cohort", True)
    assert recipe.settings.priority[:3] == ("MONDO", "ORPHA", "CCS") and recipe.settings.limit == 9
    assert recipe.settings.cross_references == frozenset()


def test_an_empty_recipe_is_the_built_in_one(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, "")) == Recipe()
    assert read_recipe(write(tmp_path, "[merge]\n")).settings == MergeSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[build", "not valid TOML"),
        ("[bild]\n", "unknown table 'bild'"),
        ("[build]\ndatum = 'x'\n", r"unknown key build\.datum"),
        ("[build]\nstrict = 'yes'\n", "expected true or false"),
        ("[merge]\npriority = 'MONDO'\n", "expected a list of texts"),
        ("[merge]\npriority = [1]\n", "expected a list of texts"),
        ("[merge]\nlimit = true\n", "expected a number"),
        ("[merge]\nlimit = 1\n", "expected 2 or more"),
        ("build = 3\n", "build is no table"),
        ("source = 'hpo'\n", "source is no list of tables"),
        ("[[source]]\nprefix = 'HP'\n", "a source without `use`"),
        ("[[source]]\nuse = 'hpo'\nprefix = {a = 1}\n", "option prefix of source hpo"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"kg\.toml: .*{message}"):
        read_recipe(write(tmp_path, text))
    with pytest.raises(InputError, match="no such file"):
        read_recipe(tmp_path / "other.toml")


def test_a_build_follows_its_recipe_and_the_command_line_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "[build]\nstores = ['none']\n[[source]]\nuse = 'obo:down/d.obo'\nprefix = 'DOID'\n")
    missing = "ladybug:nowhere/never.lbug"
    assert build_from(path, [], tmp_path / "graph", [], default_store=missing).totals["concepts"] == 1
    whole = [f"obo:{tmp_path}/down/d.obo"]
    assert build_from(path, whole, tmp_path / "graph", [], default_store=missing).totals["concepts"] == 2
    store = tmp_path / "other.lbug"
    build_from(path, [], tmp_path / "graph", [f"ladybug:{store}"], default_store=missing)
    assert store.is_file() and not (tmp_path / "nowhere").exists()
