from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from kg.build import build
from kg.diff import diff
from kg.validate import validate
from tests.kg.tiny_sources import BRIDGE, HPOA, OBO, build_tiny


def spoil(path: Path, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    file = path / f"{table}.parquet"
    frame = change(pl.read_parquet(file))
    frame.write_parquet(file)


FIRST = pl.int_range(pl.len()) == 0


def put(column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.when(FIRST).then(pl.lit(value)).otherwise(column).alias(column))


@pytest.mark.parametrize(
    ("table", "change", "what"),
    [
        ("statements", put("subject", "HP:none"), "subject is no concept"),
        ("statements", put("subject", "HP:none"), "id is not the hash of the triple"),
        ("statements", put("object", "HP:none"), "object is no concept"),
        ("statements", put("predicate", "biolink:sings_to"), "unknown predicate"),
        ("statements", put("weight", 1.5), "weight outside 0 to 1"),
        ("statements", put("weight", 0.0123), "weight is not the highest of its evidence"),
        ("evidence", put("source", "nobody"), "sources are not those of its evidence"),
        ("evidence", lambda f: f.filter(~FIRST), "statement without evidence"),
        ("evidence", put("statement", "S0"), "statement is not there"),
        ("concepts", put("category", "biolink:Fish"), "unknown category"),
        ("concepts", put("name", ""), "name is empty"),
        ("concepts", put("id", "no curie"), "id is no CURIE"),
        ("concepts", lambda f: pl.concat([f, f.tail(1)]), "id stands twice"),
        ("concepts", lambda f: f.reverse(), "not sorted by id"),
        ("concepts", put("definition", None), "column definition is null"),
        ("synonyms", put("concept", "HP:none"), "concept is not there"),
        ("synonyms", put("scope", "vague"), "unknown scope"),
        ("mappings", lambda f: pl.concat([f, f.tail(1)]), "row stands twice"),
    ],
)
def test_each_fault_is_found(
    tmp_path: Path, table: str, change: Callable[[pl.DataFrame], pl.DataFrame], what: str
) -> None:
    _, path, _ = build_tiny(tmp_path)
    spoil(path, table, change)
    problems = {problem.what for problem in validate(path)}
    assert what in problems
    assert "hash is not that of the content" in problems
    assert "a file is not byte for byte the one that was built" in problems


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
    assert kinds["concepts", "obsoleted", "HP:0000006"].after == "obsolete, replaced by HP:0000005"
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
    assert sum(int(row["count"]) for row in found.summary()) == len(found.changes)
