"""OptimusKG: files for all types and for single ones say the same; directions, ids, evidence, faults."""

from __future__ import annotations

import json
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

NODES = [
    (
        "MONDO_0005148",
        "DIS",
        {"name": "type 2 diabetes", "description": "of  sugar", "xrefs": ["DOID:9352", "UMLS:C0011860"]},
    ),
    ("MONDO_0005015", "DIS", {"name": "diabetes mellitus", "exactSynonyms": ["DM"], "broadSynonyms": ["sugar"]}),
    ("HP_0000855", "PHE", {"name": "Insulin resistance"}),
    (
        "ENSG00000148737",
        "GEN",
        {"symbol": "TCF7L2", "name": "transcription factor 7 like 2", "synonyms": [{"label": "TCF4", "source": "x"}]},
    ),
    ("CHEMBL1431", "DRG", {"name": "METFORMIN"}),
    ("DB00001", "DRG", {"name": "Lepirudin"}),
    ("UBERON_0001264", "ANA", {"name": "pancreas"}),
    ("GO_0006006", "BPO", {"name": "glucose metabolic process"}),
    ("R-HSA-1", "PWY", {"name": "pathway"}),
    ("R-HSA-2", "PWY", {"name": "sub-pathway"}),
    ("D014028", "EXP", {"name": "Tobacco Smoke"}),
    ("C092102", "EXP", {"name": "1-hydroxyphenanthrene"}),
]
EDGES = [
    ("MONDO_0005015", "MONDO_0005148", "DIS-DIS", "PARENT"),
    ("R-HSA-1", "R-HSA-2", "PWY-PWY", "PARENT"),
    ("MONDO_0005148", "ENSG00000148737", "DIS-GEN", "ASSOCIATED_WITH"),
    ("UBERON_0001264", "ENSG00000148737", "ANA-GEN", "EXPRESSION_PRESENT"),
    ("GO_0006006", "ENSG00000148737", "BPO-GEN", "INTERACTS_WITH"),
    ("MONDO_0005148", "HP_0000855", "DIS-PHE", "PHENOTYPE_PRESENT"),
    ("CHEMBL1431", "MONDO_0005148", "DRG-DIS", "INDICATION"),
    ("CHEMBL1431", "HP_0000855", "DRG-PHE", "ADVERSE_DRUG_REACTION"),
    ("CHEMBL1431", "ENSG00000148737", "DRG-GEN", "INVERSE_AGONIST"),
    ("DB00001", "ENSG00000148737", "DRG-GEN", "CARRIER"),
    ("DB00001", "CHEMBL1431", "DRG-DRG", "SYNERGISTIC_INTERACTION"),
    ("D014028", "C092102", "EXP-EXP", "PARENT"),
    ("D014028", "MONDO_0005148", "EXP-DIS", "LINKED_TO"),
    ("MONDO_0005148", "UBERON_0001264", "DIS-ANA", "PAINTS"),
]
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


def edge_frame(edges: list[tuple[str, str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(edges, schema=["from", "to", "label", "relation"], orient="row").with_columns(undirected=False)


def write_whole(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [(i, label, json.dumps(p)) for i, label, p in NODES]
    pl.DataFrame(rows, schema=["id", "label", "properties"], orient="row").write_parquet(folder / "nodes.parquet")
    frame = edge_frame(EDGES).with_columns(properties=pl.lit('{"sources": {"direct": ["X"]}}'))
    frame.write_parquet(folder / "edges.parquet")
    return folder


def write_parts(folder: Path) -> Path:
    """Write one file a type, with properties as columns."""
    for kind in ("nodes", "edges"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for label in dict.fromkeys(n[1] for n in NODES):
        rows = [{"id": i, "label": k, "properties": p} for i, k, p in NODES if k == label]
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "nodes" / f"{label}.parquet")
    for label in dict.fromkeys(e[2] for e in EDGES):
        properties: dict[str, Any] = {"sources": {"direct": ["OPEN_TARGETS", "HPO"], "indirect": []}}
        if label == "DIS-PHE":
            properties |= {"references": ["PMID:1", None], "frequency": ["HP:0040281"]}
        frame = edge_frame([e for e in EDGES if e[2] == label])
        held = pl.Series("properties", [properties] * frame.height)
        frame.with_columns(held).write_parquet(folder / "edges" / f"{label}.parquet")
    return folder


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
