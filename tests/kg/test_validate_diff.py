from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from kg.build import build
from kg.bundle import Bundle
from kg.diff import diff, summarise
from kg.types import statement_id
from kg.validate import validate
from kg.vocabulary import Predicate
from tests.kg.tables import write_tables
from tests.kg.tiny_sources import BRIDGE, HPOA, OBO, build_tiny, write_sources

Edit = Callable[[pl.DataFrame], pl.DataFrame]
FIRST = pl.int_range(pl.len()) == 0
PHENOTYPES = "statements/HAS_PHENOTYPE"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("whole"))[1]


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "graph")
    return tmp_path / "graph"


def spoil(path: Path, table: str, change: Edit) -> None:
    file = path / f"{table}.parquet"
    frame = change(pl.read_parquet(file))
    frame.write_parquet(file)


def put(column: str, value: object) -> Edit:
    return lambda frame: frame.with_columns(
        pl.when(FIRST).then(pl.lit(value, dtype=frame.schema[column])).otherwise(column).alias(column)
    )


def add(**values: object) -> Edit:
    """Add a row like the last one but for some values."""
    return lambda frame: pl.concat(
        [frame, frame.tail(1).with_columns(pl.lit(v, dtype=frame.schema[k]).alias(k) for k, v in values.items())]
    )


@pytest.mark.parametrize(
    ("table", "change", "what"),
    [
        (PHENOTYPES, put("subject", "HP:none"), "subject is no concept"),
        (PHENOTYPES, put("subject", "HP:none"), "id is not the hash of the triple"),
        (PHENOTYPES, put("object", "HP:none"), "object is no concept"),
        (PHENOTYPES, put("predicate", "biolink:sings_to"), "unknown predicate"),
        (PHENOTYPES, put("predicate", "biolink:treats"), "predicate in the file of HAS_PHENOTYPE"),
        (PHENOTYPES, put("weight", 1.5), "weight outside 0 to 1"),
        (PHENOTYPES, put("weight", 0.0123), "weight is not the highest of its evidence"),
        (PHENOTYPES, put("publications", ["PMID:0"]), "publications are not those of its evidence"),
        (PHENOTYPES, put("checked", False), "checked is not that of its evidence"),
        (PHENOTYPES, lambda f: pl.concat([f, f.tail(1)]), "id stands twice"),
        ("evidence", put("source", "nobody"), "sources are not those of its evidence"),
        ("evidence", put("source", "nobody"), "caption is not source and version"),
        ("evidence", lambda f: f.filter(~FIRST), "statement without evidence"),
        ("evidence", put("statement", "S0"), "statement is not there"),
        ("evidence", put("statement", "S0"), "id is not that of the statement with a number"),
        ("evidence", put("object", "HP:none"), "triple is not that of the statement"),
        ("evidence", lambda f: pl.concat([f, f.tail(1)]), "id is not that of the statement with a number"),
        ("evidence", put("weight", -0.1), "weight outside 0 to 1"),
        ("concepts", put("category", "biolink:Fish"), "unknown category"),
        ("concepts", put("name", ""), "name is empty"),
        ("concepts", put("id", "no curie"), "id is no CURIE"),
        ("concepts", lambda f: pl.concat([f, f.tail(1)]), "id stands twice"),
        ("concepts", put("definition", None), "column definition is null"),
        ("concepts", put("equivalents", ["HP:0001945"]), "equivalent is a concept of its own"),
        (
            "concepts",
            lambda f: f.with_columns(equivalents=pl.lit(["X:1"], dtype=pl.List(pl.String))),
            "equivalent of two concepts",
        ),
        ("synonyms", put("concept", "HP:none"), "concept is not there"),
        ("synonyms", put("scope", "vague"), "unknown scope"),
        ("mappings", lambda f: pl.concat([f, f.tail(1)]), "row stands twice"),
    ],
)
def test_each_fault_is_found(copy: Path, table: str, change: Edit, what: str) -> None:
    spoil(copy, table, change)
    problems = {problem.what for problem in validate(copy)}
    assert what in problems
    assert "content is not that of the manifest" in problems or any(
        "manifest says otherwise" in one for one in problems
    )
    assert "hash is not that of the content" in problems
    assert "a file is not byte for byte the one that was built" in problems


@pytest.mark.parametrize("table", ["concepts", "synonyms", "mappings", "evidence", PHENOTYPES])
def test_rows_in_another_order_are_found(copy: Path, table: str) -> None:
    assert validate(copy) == []
    spoil(copy, table, lambda frame: frame.reverse())
    problems = {(problem.table, problem.what.split(" by ")[0]) for problem in validate(copy)}
    assert (table.partition("/")[0], "not sorted") in problems
    assert ("manifest", "hash is not that of the content") not in problems, "the content is the same"


CLIQUE: dict[str, object] = {
    "clique": 1,
    "reason": "ambiguous",
    "subject": "A:1",
    "predicate": "skos:exactMatch",
    "object": "A:2",
    "source": "test",
    "members": ["A:1", "A:2"],
}


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([{"reason": "for fun"}], "unknown reason"),
        ([{"clique": 2}], "cliques are not numbered from 1"),
        ([{"members": ["A:1"]}], "members are not sorted, or fewer than two"),
        ([{"members": ["A:2", "A:1"]}], "members are not sorted, or fewer than two"),
        ([{"object": "A:1"}], "mapping of an id to itself"),
        ([{}, {"reason": "mixes categories"}], "clique with two reasons or lists of members"),
        ([{}, {"object": "A:3", "members": ["A:1", "A:3"]}], "clique with two reasons or lists of members"),
        ([{}, {}], "row stands twice"),
        ([{}, {"object": "A:3"}], None),
    ],
)
def test_cliques_are_looked_over(tmp_path: Path, rows: list[dict[str, object]], what: str | None) -> None:
    write_tables(tmp_path, {"cliques": [CLIQUE | row for row in rows]})
    found = {p.what for p in validate(tmp_path) if p.table == "cliques" and "manifest" not in p.what}
    assert found == ({what} if what else set())


def test_files_that_are_no_relationship_type_are_found(copy: Path) -> None:
    shutil.copy(copy / f"{PHENOTYPES}.parquet", copy / "statements" / "SINGS_TO.parquet")
    assert [p.what for p in validate(copy)] == ["file of no relationship type"]


def test_numbers_of_evidence_go_on_from_batch_to_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence of one statement may lie in several batches."""
    file = write_sources(tmp_path / "sources")[0].partition("?")[0]
    build([f"{file}?name=s{n}" for n in range(7)], tmp_path / "graph")
    assert Bundle.open(tmp_path / "graph").evidence.group_by("statement").len().collect()["len"].max() == 7
    for size in (1, 2, 3, 5, 1000):
        monkeypatch.setattr("kg.validate._BATCH", size)
        assert validate(tmp_path / "graph") == []
    monkeypatch.setattr("kg.validate._BATCH", 2)
    spoil(tmp_path / "graph", "evidence", lambda f: f.with_columns(id=pl.col("id").str.replace(r"\.6$", ".5")))
    (found,) = [p for p in validate(tmp_path / "graph") if p.table == "evidence" and "number" in p.what]
    statements = Bundle.open(tmp_path / "graph").statements.collect().height
    assert found.count == statements


def test_a_manifest_that_lies_is_found(tmp_path: Path) -> None:
    _, path, _ = build_tiny(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["tables"]["concepts"]["rows"] += 1
    manifest["hash"] = "0" * 64
    (path / "manifest.json").write_text(json.dumps(manifest))
    whats = [problem.what for problem in validate(path)]
    assert any("the manifest says otherwise" in what for what in whats)
    assert "hash is not that of the content" in whats


def test_equal_bundles_do_not_differ(tmp_path: Path) -> None:
    sources, path, _ = build_tiny(tmp_path)
    build(sources, tmp_path / "again")
    assert diff(path, tmp_path / "again").same
    assert diff(path, path).changes == ()


def test_what_changed_between_two_versions(tmp_path: Path) -> None:
    sources, path, _ = build_tiny(tmp_path)
    files = tmp_path / "sources"
    pain = OBO.replace("name: Pain\n", 'name: Pain\nsynonym: "Ache" EXACT []\n')
    old = "[Term]\nid: HP:0000006\nname: Autosomal dominant inheritance\n"
    gone = pain.replace(old, old + "is_obsolete: true\nreplaced_by: HP:0000005\n")
    (files / "hp.obo").write_text(
        gone + "\n[Term]\nid: HP:0000999\nname: New one\nis_a: HP:0000118\n", encoding="utf-8"
    )
    (files / "tiny.hpoa").write_text(HPOA.replace("3/4", "1/4"), encoding="utf-8")
    (files / "bridge.ttl").write_text(BRIDGE.replace("crg:strength 0.7", "crg:strength 0.9"), encoding="utf-8")
    build(sources, tmp_path / "new")
    found = diff(path, tmp_path / "new")
    kinds = {(c.table, c.kind, c.id): c for c in found.changes}
    assert kinds["concepts", "added", "HP:0000999"].after == "New one"
    assert (
        kinds["concepts", "obsoleted", "HP:0000006"].after == "obsolete, replaced by HP:0000005 (Mode of inheritance)"
    )
    assert "Ache" in kinds["concepts", "changed", "HP:0012531"].after
    changed = [c for c in found.changes if (c.table, c.kind) == ("statements", "changed")]
    assert any("weight: 0.7" in c.before and "weight: 0.9" in c.after for c in changed)
    assert {(c.id, c.kind) for c in found.changes if c.table == "sources"} == {
        ("hpo", "changed"),
        ("hpoa", "changed"),
        ("bridge", "changed"),
    }
    back = diff(tmp_path / "new", path)
    assert len([c for c in back.changes if c.kind == "removed"]) == len([c for c in found.changes if c.kind == "added"])
    assert [row["id"] for row in found.rows()] == [c.id for c in found.changes]
    assert sum(int(row["count"]) for row in found.summary()) == found.total == len(found.changes)


def test_merged_and_split_concepts_and_former_ids(tmp_path: Path) -> None:
    """An id that became another's equivalent is merged, the other way round split, a former id of another obsolete."""
    disease = {"category": "biolink:Disease"}
    old = [
        {"id": "DOID:1", "name": "one", **disease},
        {"id": "MONDO:1", "name": "One", **disease},
        {"id": "DOID:2", "name": "two", "equivalents": ["MONDO:2"], **disease},
        {"id": "DOID:3", "name": "three", **disease},
        {"id": "DOID:4", "name": "four", **disease},
        {"id": "DOID:5", "name": "five", "xrefs": ["A:1", "A:2"], **disease},
    ]
    new = [
        {"id": "MONDO:1", "name": "One", "equivalents": ["DOID:1"], **disease},
        {"id": "DOID:2", "name": "two", **disease},
        {"id": "MONDO:2", "name": "Two", **disease},
        {"id": "DOID:5", "name": "five", "xrefs": ["A:2", "A:3"], **disease},
    ]
    former = [{"subject": "DOID:3", "predicate": "IAO:0100001", "object": "DOID:5"}]
    write_tables(tmp_path / "old", {"concepts": old}, hash_="old")
    write_tables(tmp_path / "new", {"concepts": new, "mappings": former}, hash_="new")
    found = {(c.kind, c.id): (c.before, c.after) for c in diff(tmp_path / "old", tmp_path / "new").changes}
    assert found["merged", "DOID:1"] == ("one", "one with MONDO:1 (One)")
    assert found["split", "MONDO:2"] == ("one with DOID:2 (two)", "Two")
    assert found["obsoleted", "DOID:3"] == ("three", "obsolete, replaced by DOID:5 (five)")
    assert found["removed", "DOID:4"] == ("four", "")
    assert found["changed", "DOID:5"] == ("xrefs: A:1", "xrefs: A:3")
    assert found["changed", "MONDO:1"] == ("equivalents: ", "equivalents: DOID:1")
    assert len(found) == 7
    back = {(c.kind, c.id) for c in diff(tmp_path / "new", tmp_path / "old").changes}
    assert {("split", "DOID:1"), ("merged", "MONDO:2"), ("added", "DOID:3")} <= back


def test_evidence_alone_changes_a_statement_but_a_version_does_not(tmp_path: Path) -> None:
    def write(name: str, notes: list[str], version: str) -> Path:
        id_ = statement_id("A:1", Predicate.TREATS, "A:2", False)
        triple = {"subject": "A:1", "predicate": "biolink:treats", "object": "A:2"}
        evidence = [
            {"id": f"{id_}.{n}", "statement": id_, "note": note, "version": version, **triple}
            for n, note in enumerate(notes, 1)
        ]
        write_tables(tmp_path / name, {"statements": [{"id": id_, **triple}], "evidence": evidence}, hash_=name)
        return tmp_path / name

    old = write("old", ["a"], "1")
    assert diff(old, write("version", ["a"], "2")).same
    (change,) = diff(old, write("note", ["b"], "1")).changes
    assert change.after == "A:1 biolink:treats A:2 (other evidence)"
    more = diff(old, write("more", ["a", "a"], "1")).changes
    assert [c.table for c in more] == ["evidence", "statements"]
    assert more[1].after == "A:1 biolink:treats A:2 (evidence: 2)"


def test_a_limit_cuts_the_list_and_not_the_numbers(tmp_path: Path) -> None:
    sources, path, _ = build_tiny(tmp_path)
    build(sources[:1], tmp_path / "new")
    whole = diff(path, tmp_path / "new")
    for limit in (0, 1, 7, 1000):
        found = diff(path, tmp_path / "new", limit=limit)
        assert found.changes == whole.changes[:limit]
        assert found.counts == whole.counts
        assert not found.same
    old, new = Bundle.open(path), Bundle.open(tmp_path / "new")
    assert summarise(old, new) == whole.summary()
    assert summarise(old, Bundle(new.path, {"sources": new.manifest["sources"]})) == whole.summary()
    assert summarise(old, old) == []


DOID = Path(__file__).parents[2] / "../shared/data/doid"


def terms_of(text: str) -> dict[str, list[str]]:
    """Give the lines of each term of an OBO file, read without the reader."""
    parts = [part.splitlines() for part in text.split("[Term]\n")[1:]]
    return {part[0].removeprefix("id: "): part for part in parts}


@pytest.mark.slow
@pytest.mark.skipif(not DOID.is_dir(), reason="the releases of the Disease Ontology are not here")
def test_what_the_disease_ontology_gave_up(tmp_path: Path) -> None:
    """A release against itself before its obsolete terms were given up and its former ids became others."""
    text = gzip.decompress((DOID / "doid-2016-09-01.obo.gz").read_bytes()).decode()
    terms = terms_of(text)
    former = {line.split()[1]: i for i, part in terms.items() for line in part if line.startswith("alt_id: ")}
    former = {old: new for old, new in former.items() if old.startswith("DOID:") and old not in terms}
    obsolete = {i for i, part in terms.items() if "is_obsolete: true" in part and i.startswith("DOID:")}
    stubs = "".join(f"\n[Term]\nid: {old}\nname: once {old}\n" for old in former)
    lines = (line for line in text.splitlines() if not line.startswith(("is_obsolete:", "alt_id:")))
    (tmp_path / "before.obo").write_text("\n".join(lines) + "\n" + stubs, encoding="utf-8")
    build([f"obo:{tmp_path / 'before.obo'}?prefix=DOID&name=doid"], tmp_path / "before")
    build([f"obo:{DOID / 'doid-2016-09-01.obo.gz'}?prefix=DOID&name=doid"], tmp_path / "after")
    found = diff(tmp_path / "before", tmp_path / "after")
    told = {c.id: c.after for c in found.changes if (c.table, c.kind) == ("concepts", "obsoleted")}
    assert len(former) > 1000
    assert len(obsolete) > 2000
    assert told.keys() == former.keys() | obsolete
    for identifier, successor in former.items():
        assert told[identifier].startswith(f"obsolete, replaced by {successor} (")


@pytest.mark.slow
@pytest.mark.skipif(not DOID.is_dir(), reason="the releases of the Disease Ontology are not here")
def test_ten_years_of_the_disease_ontology(tmp_path: Path) -> None:
    ids: dict[str, set[str]] = {}
    for name, file in (("old", "doid-2016-09-01.obo.gz"), ("new", "doid-2026-07-31-rebuilt.obo.gz")):
        build([f"obo:{DOID / file}?prefix=DOID&name=doid"], tmp_path / name)
        terms = terms_of(gzip.decompress((DOID / file).read_bytes()).decode())
        ids[name] = {one for one in terms if one.startswith("DOID:")}
    found = [c for c in diff(tmp_path / "old", tmp_path / "new").changes if c.table == "concepts"]
    told = {kind: {c.id for c in found if c.kind == kind and c.id.startswith("DOID:")} for kind in ("added", "removed")}
    assert told["added"] == ids["new"] - ids["old"]
    assert told["removed"] == ids["old"] - ids["new"]
    assert sum(c.before.endswith("(obsolete)") for c in found if c.kind == "removed") > 2000
