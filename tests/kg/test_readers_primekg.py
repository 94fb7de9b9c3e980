"""PrimeKG: ids, directions, each edge once, hierarchies by the order of rows, bad rows."""

from __future__ import annotations

import gzip
import importlib.util
import random
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.formats import FORMATS
from kg.readers.primekg import read_primekg
from kg.readers.primekg_rules import curie
from kg.readers.source import Context, Source
from tests.kg.graph_records import Told, told
from tests.kg.primekg_files import DISEASE, EDGES, GENE, HEADER, PARENT, PROCESS, rows

EXPECTED = {
    ("NCBIGENE:56992", "interacts_with", "NCBIGENE:9796"),
    ("DRUGBANK:DB00945", "affects", "NCBIGENE:9796"),
    ("DRUGBANK:DB00316", "interacts_with", "NCBIGENE:9796"),
    ("DRUGBANK:DB00945", "contraindicated_in", "MONDO:0005148"),
    ("DRUGBANK:DB00316", "treats", "MONDO:0005148"),
    ("DRUGBANK:DB00945", "treats", "PRIMEKG:13924_grouped"),
    ("DRUGBANK:DB00316", "interacts_with", "DRUGBANK:DB00945"),
    ("MONDO:0005148", "has_phenotype", "HP:0001945"),
    ("PRIMEKG:13924_grouped", "not has_phenotype", "HP:0001945"),
    ("MONDO:0005148", "associated_with", "NCBIGENE:9796"),
    ("MONDO:0005148", "subclass_of", "MONDO:0005015"),
    ("DRUGBANK:DB00945", "has_side_effect", "HP:0001945"),
    ("NCBIGENE:9796", "participates_in", "GO:0006954"),
    ("MESH:D014028", "associated_with", "MONDO:0005148"),
    ("REACTOME:R-HSA-109606", "part_of", "REACTOME:R-HSA-109581"),
    ("UBERON:0002107", "subclass_of", "UBERON:0000062"),
    ("NCBIGENE:9796", "expressed_in", "UBERON:0002107"),
    ("NCBIGENE:56992", "not expressed_in", "UBERON:0002107"),
    ("DRUGBANK:DB00945", "related_to", "MONDO:0005148"),
}
HIERARCHY = {
    ("MONDO:0005148", "subclass_of", "MONDO:0005015"),
    ("REACTOME:R-HSA-109606", "part_of", "REACTOME:R-HSA-109581"),
    ("UBERON:0002107", "subclass_of", "UBERON:0000062"),
}


def read(path: Path, lines: list[str], header: str = HEADER) -> Told:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return told(read_primekg(path))


def test_every_edge_is_stated_once_in_its_direction(tmp_path: Path) -> None:
    found = read(tmp_path / "kg.csv", rows())
    assert found.triples == EXPECTED
    assert len(found.facts) == len(EDGES)
    assert found.rejects == []
    assert found.notes["DRUGBANK:DB00945", "PRIMEKG:13924_grouped"] == "off-label use"
    assert found.notes["DRUGBANK:DB00316", "DRUGBANK:DB00945"] == "synergistic interaction"
    assert {"cures_in_mice", "contraindication"} >= {f["note"] for f in found.facts if "related_to" in f["predicate"]}


def test_concepts_have_category_name_and_written_id(tmp_path: Path) -> None:
    found = read(tmp_path / "kg.csv", rows())
    assert {(c["id"], c["category"].split(":")[1], c["name"]) for c in found.concepts.values()} >= {
        ("DRUGBANK:DB00945", "Drug", "Aspirin"),
        ("MONDO:0005148", "Disease", "type 2 diabetes mellitus"),
        ("HP:0001945", "PhenotypicFeature", "Fever"),
        ("NCBIGENE:9796", "Gene", "PHYHIP"),
        ("GO:0006954", "BiologicalProcess", "inflammatory response"),
        ("UBERON:0002107", "AnatomicalEntity", "liver"),
        ("MESH:D014028", "ExposureEvent", "Tobacco Smoke"),
        ("REACTOME:R-HSA-109581", "Pathway", "Apoptosis"),
        ("PRIMEKG:13924_grouped", "Disease", "osteogenesis imperfecta, all types"),
    }
    fact = next(f for f in found.facts if f["object"] == "HP:0001945" and f["subject"] == "MONDO:0005148")
    assert (fact["subject_as_written"], fact["object_as_written"]) == ("5148", "1945")


def test_grouped_diseases_are_concepts_of_their_own_that_name_their_members(tmp_path: Path) -> None:
    found = read(tmp_path / "kg.csv", rows())
    assert found.mappings == [
        ("PRIMEKG:13924_grouped", "skos:narrowMatch", f"MONDO:00{number}") for number in (13924, 12592, 14672)
    ]


@pytest.mark.parametrize("backwards", [False, True])
def test_files_with_one_direction_say_the_same(tmp_path: Path, backwards: bool) -> None:
    only = rows()[len(EDGES) :] if backwards else rows(backwards=False)
    found = read(tmp_path / "kg.csv", only)
    assert len(found.facts) == len(EDGES)
    assert found.triples - HIERARCHY >= EXPECTED - HIERARCHY
    # Backwards rows alone look like a file that begins with its second half: the direction is not taken from them.
    assert (found.triples >= HIERARCHY) != backwards


def test_a_shuffled_file_loses_the_direction_of_hierarchies_alone(tmp_path: Path) -> None:
    lines = rows()
    random.Random(3).shuffle(lines)
    found = read(tmp_path / "kg.csv", lines)
    assert found.triples - {t for t in found.triples if "related_to" in t} == EXPECTED - HIERARCHY - {
        ("DRUGBANK:DB00945", "related_to", "MONDO:0005148")
    }
    assert found.notes["MONDO:0005015", "MONDO:0005148"] == "parent-child, direction not told"
    assert len(found.facts) == len(EDGES)


def test_parents_of_each_other_are_only_related(tmp_path: Path) -> None:
    edges = [*EDGES, ("disease_disease", "parent-child", DISEASE, PARENT)]
    edges.sort(key=lambda edge: edge[0] == "anatomy_protein_absent")
    found = read(tmp_path / "kg.csv", rows(edges, backwards=False))
    assert found.notes["MONDO:0005015", "MONDO:0005148"] == "parent-child in both directions"
    assert not {t for t in found.triples if t[1] == "subclass_of" and "MONDO" in t[0]}


def test_columns_of_indices_are_not_needed_and_not_trusted(tmp_path: Path) -> None:
    cut = [",".join(p for i, p in enumerate(line.split(",")) if i not in (2, 7)) for line in rows(EDGES[:3])]
    header = HEADER.replace("x_index,", "").replace("y_index,", "")
    assert read(tmp_path / "kg.csv", cut, header).triples == {
        ("NCBIGENE:56992", "interacts_with", "NCBIGENE:9796"),
        ("DRUGBANK:DB00945", "affects", "NCBIGENE:9796"),
        ("DRUGBANK:DB00316", "interacts_with", "NCBIGENE:9796"),
    }


def test_unknown_types_and_ends_that_do_not_fit_are_kept(tmp_path: Path) -> None:
    lines = [
        f"indication,indication,1,{GENE},2,{PROCESS}",
        "virus_host,infects,1,2697049,virus,SARS-CoV-2,NCBITaxon,2,9606,host,human,NCBITaxon",
    ]
    found = read(tmp_path / "kg.csv", lines)
    assert found.triples == {
        ("GO:0006954", "related_to", "NCBIGENE:9796"),
        ("NCBITAXON:2697049", "related_to", "NCBITAXON:9606"),
    }
    assert sorted(found.notes.values()) == ["indication: indication", "virus_host: infects"]
    assert found.concepts["NCBITAXON:9606"]["category"] == "biolink:NamedThing"


def test_bad_rows_are_rejected_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "kg.csv"
    good = [line.encode() for line in rows()]
    lines = [
        HEADER.encode(),
        *good[:3],
        b"indication,indication,1,DB1,drug",
        good[3],
        good[4].replace(b"DB00316", b"DB\xff"),
        good[4].replace(b"DB00316", b" "),
        good[4].replace(b",MONDO", b",OTHER").replace(b"5148", b"two words"),
        b'indication,indication,1,DB1,drug,"never closed,DrugBank,2,1,disease,x,MONDO',
        b"x" * (10 << 20),
        *good[4:],
    ]
    path.write_bytes(b"\n".join(lines))
    found = told(read_primekg(path))
    assert found.triples == EXPECTED
    reasons = dict(found.rejects)
    assert list(map(str, sorted(int(r.split()[1]) for r in reasons))) == ["5", "7", "8", "9", "10", "11"]
    assert reasons["line 5"] == "5 columns, expected 12"
    assert reasons["line 7"] == "not UTF-8"
    assert reasons["line 8"].startswith("no id can be made of x_source 'DrugBank'")
    assert "y_source 'OTHER' and id 'two words'" in reasons["line 9"]
    assert reasons["line 10"] == "a double quote that does not close"
    assert "longer than" in reasons["line 11"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (HEADER.encode() + b"\n", "no edge in it"),
        (b"relation,x_id,y_id\na,b,c\n", "no column 'display_relation'"),
        (gzip.compress("\n".join([HEADER, *rows() * 99]).encode())[:-20], "truncated gzip"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "kg.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_primekg(path))


def test_every_packing_is_found_and_named(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *rows()]).encode()
    (tmp_path / "kg.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "release.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dataverse_files/kg.csv", text)
        archive.writestr("dataverse_files/nodes.csv", "node_index\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kg.csv").write_bytes(text)
    (folder / "edges.csv").write_text("relation\n", encoding="utf-8")
    form = FORMATS["primekg"]
    for path in (tmp_path / "kg.csv.gz", tmp_path / "release.zip", folder):
        assert told(form.read(Source("primekg", "primekg", path), Context())).triples == EXPECTED
        assert [one.name for one in form.files(path)] == ["kg.csv"]


@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        ("HPO", "1250", "HP:0001250"),
        ("MONDO", "5148", "MONDO:0005148"),
        ("UBERON", "62.0", "UBERON:0000062"),
        ("NCBI", "9796", "NCBIGENE:9796"),
        ("CTD", "C092102", "MESH:C092102"),
        ("MONDO", "MONDO:0005148", "MONDO:0005148"),
        ("Orphanet", "558", "ORPHA:558"),
    ],
)
def test_ids(source: str, written: str, expected: str) -> None:
    assert curie(source, written) == expected


def _generator() -> object:
    path = Path(__file__).parents[2] / "benchmarks" / "primekg_like.py"
    spec = importlib.util.spec_from_file_location("primekg_like", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["primekg_like"] = module
    spec.loader.exec_module(module)
    return module


def test_a_made_graph_of_the_real_shape_is_read_whole(tmp_path: Path) -> None:
    made = _generator()
    for name in ("a.csv", "b.csv"):
        made.write_primekg_like(tmp_path / name, 20_000, seed=5)  # type: ignore[attr-defined]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").count("\n") - 1
    found = told(read_primekg(tmp_path / "a.csv"))
    assert 19_900 < lines < 20_200
    assert len(found.facts) * 2 == lines
    assert len({tuple(f.values()) for f in found.facts}) == len(found.facts)
    assert found.rejects == []
    assert {f["subject"] for f in found.facts} | {f["object"] for f in found.facts} == set(found.concepts)
    assert not any("direction" in f["note"] for f in found.facts)


TEXT = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["MONDO", "HPO", "drug", "disease", "5", ""])


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(st.lists(TEXT, min_size=11, max_size=13), max_size=8),
    tail=st.binary(max_size=20),
    quoted=st.booleans(),
)
def test_no_content_does_more_than_be_rejected(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], tail: bytes, quoted: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    lines = [",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' if quoted else c for c in row) for row in cells]
    path.write_bytes("\n".join([HEADER, *lines]).encode() + b"\n" + tail)
    try:
        found = told(read_primekg(path))
    except InputError:
        return
    assert all(" " not in f["subject"] and ":" in f["subject"] for f in found.facts)
