"""The whole built-in recipe, against facts that are known of its sources."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import polars as pl
import pytest

from ehr.phenotypes import load_phenotypes
from kg.build import BuildReport, build
from kg.bundle import Bundle
from kg.search import search_concepts
from kg.types import statement_id
from kg.validate import validate
from kg.vocabulary import Category, Predicate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, BuildReport]:
    path = tmp_path_factory.mktemp("recipe") / "graph"
    report = build(None, path, strict=True)
    return Bundle.open(path), report


def test_sizes_lie_where_they_should(built: tuple[Bundle, BuildReport]) -> None:
    bundle, report = built
    counts = {s.name: s.counts for s in report.sources}
    assert 17_000 < counts["hpo"]["concepts"] < 25_000
    assert 250_000 < counts["hpoa"]["evidence"] < 400_000
    assert counts["phenotypes"]["concepts"] == 25
    assert counts["bridge"]["evidence"] >= 25 * 12
    assert report.dangling == ()
    assert report.totals["rejects"] == 0
    assert all(s.licence and (s.version or s.name == "series") for s in report.sources)
    assert bundle.evidence.filter(pl.col("source") == "hpoa").select(pl.len()).collect().item() > 250_000


def test_it_is_sound(built: tuple[Bundle, BuildReport]) -> None:
    assert validate(built[0].path) == []


def test_fever(built: tuple[Bundle, BuildReport]) -> None:
    bundle, _ = built
    fever = bundle.concept("HP:0001945")
    assert fever is not None
    assert (fever.name, fever.category, fever.deprecated) == ("Fever", Category.PHENOTYPE, False)
    assert {"Pyrexia", "Hyperthermia"} <= {s.text for s in fever.synonyms}
    assert "UMLS:C0015967" in fever.xrefs
    assert search_concepts(bundle, "pyrexia")[0].id == "HP:0001945"


def test_marfan_has_ectopia_lentis_with_its_citations(built: tuple[Bundle, BuildReport]) -> None:
    bundle, _ = built
    wanted = statement_id("OMIM:154700", Predicate.HAS_PHENOTYPE, "HP:0001083", False)
    evidence = bundle.evidence.filter(pl.col("statement") == wanted).collect()
    assert evidence.height >= 1
    assert any(p.startswith(("PMID:", "OMIM:")) for row in evidence["publications"] for p in row)


def test_every_valid_icd_code_is_there(built: tuple[Bundle, BuildReport]) -> None:
    """The package that carries the tabular list carries the list of its codes too."""
    spec = importlib.util.find_spec("simple_icd_10_cm")
    assert spec is not None
    assert spec.submodule_search_locations
    (listing,) = (Path(spec.submodule_search_locations[0]) / "data").glob("code-list*.txt")
    expected = {c for c in listing.read_text().split() if not c.isdigit() and "-" not in c}
    ids = built[0].concepts.filter(pl.col("source") == "icd10cm").collect()["id"]
    found = {i.removeprefix("ICD10CM:").replace(".", "") for i in ids if "-" not in i}
    assert found == expected


def test_codes_below_a_phenotype_are_those_of_the_label_set(built: tuple[Bundle, BuildReport]) -> None:
    bundle, _ = built
    edges = bundle.statements.filter(pl.col("predicate") == Predicate.SUBCLASS_OF.value).collect()
    children: dict[str, list[str]] = {}
    for child, parent in edges.select("subject", "object").iter_rows():
        children.setdefault(parent, []).append(child)
    labels = load_phenotypes()
    leaves = [i for i in bundle.concepts.collect()["id"] if i.startswith("ICD10CM:") and i not in children]
    expected: dict[str, set[str]] = {phenotype: set() for phenotype in labels.ids}
    for leaf in leaves:
        for phenotype in labels.phenotypes_of(leaf.removeprefix("ICD10CM:"), 10):
            expected[phenotype].add(leaf)
    for phenotype in labels.ids:
        below, queue = set(), [phenotype]
        while queue:
            code = queue.pop()
            below.add(code)
            queue.extend(children.get(code, ()))
        assert {c for c in below if c.startswith("ICD10CM:") and c not in children} == expected[phenotype]


def test_each_phenotype_is_described_by_the_bridge(built: tuple[Bundle, BuildReport]) -> None:
    bundle, _ = built
    stated = bundle.statements.filter(pl.col("sources").list.contains("bridge")).collect()
    for phenotype in load_phenotypes().ids:
        about = stated.filter((pl.col("subject") == phenotype) | (pl.col("object") == phenotype))
        assert about.height >= 12
    opened = bundle.evidence.filter(pl.col("source") == "bridge").select(pl.col("checked").mean()).collect().item()
    assert 0.0 < opened <= 1.0


def test_a_second_build_does_nothing(built: tuple[Bundle, BuildReport]) -> None:
    again = build(None, built[0].path, strict=True)
    assert again.unchanged
    assert again.seconds < 5
