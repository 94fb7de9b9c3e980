"""OptimusKG: files for all types and for single ones say the same; directions, ids, evidence, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers import optimuskg
from kg.readers.formats import FORMATS
from kg.readers.optimuskg import read_optimuskg
from kg.readers.optimuskg_rules import curie
from kg.readers.source import Context, Source
from tests.kg.graph_records import told
from tests.kg.optimuskg_files import EDGES, edge_frame, write_parts, write_whole

GENE = "ENSEMBL:ENSG00000148737"
EXPECTED = {
    ("MONDO:0005148", "subclass_of", "MONDO:0005015"),
    ("REACTOME:R-HSA-2", "part_of", "REACTOME:R-HSA-1"),
    (GENE, "associated_with", "MONDO:0005148"),
    (GENE, "expressed_in", "UBERON:0001264"),
    (GENE, "participates_in", "GO:0006006"),
    ("MONDO:0005148", "has_phenotype", "HP:0000855"),
    ("CHEMBL.COMPOUND:CHEMBL1431", "treats", "MONDO:0005148"),
    ("CHEMBL.COMPOUND:CHEMBL1431", "has_side_effect", "HP:0000855"),
    ("CHEMBL.COMPOUND:CHEMBL1431", "affects", GENE),
    ("DRUGBANK:DB00001", "interacts_with", GENE),
    ("CHEMBL.COMPOUND:CHEMBL1431", "interacts_with", "DRUGBANK:DB00001"),
    ("MESH:C092102", "related_to", "MESH:D014028"),
    ("MESH:D014028", "associated_with", "MONDO:0005148"),
    ("MONDO:0005148", "related_to", "UBERON:0001264"),
}


@pytest.mark.parametrize("write", [write_whole, write_parts])
def test_both_layouts_say_the_same(tmp_path: Path, write: Any) -> None:
    found = told(read_optimuskg(write(tmp_path / "o")))
    assert found.triples == EXPECTED
    assert len(found.facts) == len(EDGES)
    assert found.rejects == []
    assert {i: (c["category"].split(":")[1], c["name"]) for i, c in found.concepts.items()} == {
        "MONDO:0005148": ("Disease", "type 2 diabetes"),
        "MONDO:0005015": ("Disease", "diabetes mellitus"),
        "HP:0000855": ("PhenotypicFeature", "Insulin resistance"),
        GENE: ("Gene", "TCF7L2"),
        "CHEMBL.COMPOUND:CHEMBL1431": ("Drug", "METFORMIN"),
        "DRUGBANK:DB00001": ("Drug", "Lepirudin"),
        "UBERON:0001264": ("AnatomicalEntity", "pancreas"),
        "GO:0006006": ("BiologicalProcess", "glucose metabolic process"),
        "REACTOME:R-HSA-1": ("Pathway", "pathway"),
        "REACTOME:R-HSA-2": ("Pathway", "sub-pathway"),
        "MESH:D014028": ("ExposureEvent", "Tobacco Smoke"),
        "MESH:C092102": ("ExposureEvent", "1-hydroxyphenanthrene"),
    }
    assert found.concepts["MONDO:0005148"]["definition"] == "of sugar"
    assert {(s["concept"], s["text"], s["scope"]) for s in found.synonyms} == {
        (GENE, "transcription factor 7 like 2", "exact"),
        (GENE, "TCF4", "exact"),
        ("MONDO:0005015", "DM", "exact"),
        ("MONDO:0005015", "sugar", "broad"),
    }
    assert set(found.mappings) == {
        ("MONDO:0005148", "oboInOwl:hasDbXref", one) for one in ("DOID:9352", "UMLS:C0011860")
    }


def test_properties_that_are_columns_become_evidence(tmp_path: Path) -> None:
    found = told(read_optimuskg(write_parts(tmp_path / "o")))
    facts = {(f["subject"], f["object"], f["predicate"].split(":")[1]): f for f in found.facts}
    shown = facts["MONDO:0005148", "HP:0000855", "has_phenotype"]
    assert (shown["publications"], shown["frequency"]) == (["PMID:1"], "HP:0040281")
    assert shown["note"] == "OPEN_TARGETS, HPO"
    assert shown["subject_as_written"] == "MONDO_0005148"
    drug = facts["CHEMBL.COMPOUND:CHEMBL1431", GENE, "affects"]
    assert drug["note"] == "inverse agonist; OPEN_TARGETS, HPO"
    assert facts["MONDO:0005148", "UBERON:0001264", "related_to"]["note"] == "PAINTS; OPEN_TARGETS, HPO"


def test_the_complete_files_are_taken_and_named(tmp_path: Path) -> None:
    folder = write_whole(tmp_path / "o")
    write_parts(folder)
    (folder / "nodes" / "DIS.parquet").unlink()
    form = FORMATS["optimuskg"]
    assert [entry.name for entry in form.files(folder)] == ["nodes.parquet", "edges.parquet"]
    for path in (folder, folder / "edges.parquet"):
        assert told(form.read(Source("o", "optimuskg", path), Context())).triples == EXPECTED


def test_older_files_list_relations_in_small_letters(tmp_path: Path) -> None:
    folder = write_whole(tmp_path / "o")
    frame = pl.DataFrame(
        {
            "from": ["DB00001"],
            "to": ["CHEMBL1431"],
            "label": ["DRG-DRG"],
            "relation": [["synergistic interaction", "parent"]],
        }
    )
    frame.write_parquet(folder / "edges.parquet")
    assert told(read_optimuskg(folder)).triples == {
        ("CHEMBL.COMPOUND:CHEMBL1431", "interacts_with", "DRUGBANK:DB00001"),
        ("CHEMBL.COMPOUND:CHEMBL1431", "subclass_of", "DRUGBANK:DB00001"),
    }


def test_rows_without_an_id_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimuskg, "_ROWS", 2)
    folder = write_whole(tmp_path / "o")
    edges: list[tuple[Any, ...]] = [
        ("MONDO_1", "HP_2", "DIS-PHE", "PHENOTYPE_ABSENT"),
        (None, "HP_2", "DIS-PHE", "PHENOTYPE_PRESENT"),
        ("MONDO_1", "not an id", "DIS-PHE", "PHENOTYPE_PRESENT"),
        ("MONDO_1", "HP_3", None, None),
    ]
    pl.DataFrame(edges, schema=["from", "to", "label", "relation"], orient="row").write_parquet(
        folder / "edges.parquet"
    )
    nodes: list[tuple[Any, ...]] = [("MONDO_1", "DIS", "{broken"), (None, "DIS", None), ("x y", None, "[]")]
    pl.DataFrame(nodes, schema=["id", "label", "properties"], orient="row").write_parquet(folder / "nodes.parquet")
    found = told(read_optimuskg(folder))
    assert found.triples == {("MONDO:1", "not has_phenotype", "HP:2"), ("MONDO:1", "related_to", "HP:3")}
    assert list(found.concepts) == ["MONDO:1"]
    assert sorted(where for where, _ in found.rejects) == [
        "edges.parquet row 2", "edges.parquet row 3", "nodes.parquet row 2", "nodes.parquet row 3",
    ]  # fmt: skip


def test_graphs_that_cannot_be_used(tmp_path: Path) -> None:
    folder = write_whole(tmp_path / "o")
    whole = (folder / "edges.parquet").read_bytes()
    for content in (b"", b"PAR1", whole[:-40], b"from,to\n"):
        (folder / "edges.parquet").write_bytes(content)
        with pytest.raises(InputError, match=r"edges\.parquet: no readable Parquet file"):
            list(read_optimuskg(folder))
    pl.DataFrame({"x": [1]}).write_parquet(folder / "edges.parquet")
    with pytest.raises(InputError, match="no column 'from', found x"):
        list(read_optimuskg(folder))
    edge_frame([]).cast(pl.String).write_parquet(folder / "edges.parquet")
    with pytest.raises(InputError, match="no edge in it"):
        list(read_optimuskg(folder))
    (folder / "edges.parquet").unlink()
    with pytest.raises(InputError, match=r"holds no edges\.parquet, found nodes\.parquet"):
        list(read_optimuskg(folder))
    with pytest.raises(InputError, match="no such file"):
        list(read_optimuskg(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("EFO_0000400", "EFO:0000400"),
        ("Orphanet_558", "ORPHA:558"),
        ("MONDO:0005148", "MONDO:0005148"),
        ("NCBIGene:9997", "NCBIGENE:9997"),
        ("DrugBank:DB00001", "DRUGBANK:DB00001"),
        ("DB00001", "DRUGBANK:DB00001"),
        ("D014028", "MESH:D014028"),
        ("nothing", ""),
        ("", ""),
    ],
)
def test_ids(written: str, expected: str) -> None:
    assert curie(written) == expected


TEXT = st.none() | st.text(max_size=5) | st.sampled_from(["MONDO_1", "HP_2", "DIS-PHE", "PARENT", '{"xrefs": [1, {}]}'])


@settings(max_examples=40, deadline=None)
@given(
    nodes=st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5),
    edges=st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), max_size=5),
    flip=st.none() | st.tuples(st.integers(0, 5000), st.integers(0, 255)),
)
def test_no_content_does_more_than_be_rejected(
    tmp_path_factory: pytest.TempPathFactory,
    nodes: list[tuple[Any, ...]],
    edges: list[tuple[Any, ...]],
    flip: tuple[int, int] | None,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz-optimus"
    folder.mkdir(exist_ok=True)
    for name, columns, rows in (
        ("nodes", ("id", "label", "properties"), nodes),
        ("edges", ("from", "to", "label", "relation"), edges),
    ):
        path = folder / f"{name}.parquet"
        pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row").write_parquet(path)
        if flip is not None:
            content = bytearray(path.read_bytes())
            content[flip[0] % len(content)] = flip[1]
            path.write_bytes(content)
    try:
        found = told(read_optimuskg(folder))
    except InputError:
        return
    assert found.facts
