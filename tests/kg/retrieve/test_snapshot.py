"""The snapshot: what is in it, and what becomes of files that are old, damaged or gone."""

from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.retrieve.snapshot import PREDICATES, Snapshot, make_snapshot, snapshot_of
from kg.retrieve.snapshot_files import load_snapshot
from kg.vocabulary import Predicate

NAMES = [field.name for field in fields(Snapshot)]


@pytest.fixture
def own(bundle: Bundle, tmp_path: Path) -> Bundle:
    shutil.copytree(bundle.path, tmp_path / "graph", ignore=shutil.ignore_patterns("csr"))
    return Bundle.open(tmp_path / "graph")


def folders(bundle: Bundle) -> list[Path]:
    return sorted((bundle.path / "csr").iterdir())


def same(one: Snapshot, other: Snapshot) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in NAMES)


def test_files_equal_what_was_made_and_are_mapped(own: Bundle) -> None:
    made, first, again = make_snapshot(own), load_snapshot(own), load_snapshot(own)
    assert same(made, first) and same(made, again)
    assert all(isinstance(getattr(again, name).base, np.memmap) for name in NAMES)
    assert len(made.targets) == 28
    ids = [made.id(place) for place in range(len(made))]
    assert ids == sorted(ids) and "HP:0000002" not in ids, "deprecated"
    assert [made.place(identifier) for identifier in ids] == list(range(len(made)))
    assert made.place("HP:0000002") is None and made.place("ZZZ:9") is None and made.place("") is None
    information = dict(zip(ids, made.information.tolist(), strict=True))
    assert information["HP:0000118"] < information["HP:0000969"] < information["HP:0010741"]


def test_an_older_snapshot_is_made_again_and_said_so(own: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    load_snapshot(own)
    (old,) = folders(own)
    assert "older" not in capsys.readouterr().err
    newer = Bundle(own.path, {**own.manifest, "hash": "another1" * 4})
    load_snapshot(newer)
    assert "older than the bundle" in capsys.readouterr().err
    (new,) = folders(own)
    assert new != old and new.name.startswith("another1")


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "manifest"])
def test_a_damaged_snapshot_is_made_again_and_said_so(
    own: Bundle, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_snapshot(own)
    (folder,) = folders(own)
    file = folder / ("snapshot.json" if damage == "manifest" else "targets.npy")
    content = file.read_bytes()
    file.unlink()  # the mapped file stays as it is
    if damage == "cut":
        file.write_bytes(content[:-8])
    elif damage == "flip":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "manifest":
        file.write_text("{")
    assert same(load_snapshot(own), whole)
    assert "damaged" in capsys.readouterr().err
    load_snapshot(own)
    assert "damaged" not in capsys.readouterr().err


def test_a_bundle_that_is_gone_or_cannot_be_written(own: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_snapshot(own)
    (own.path / "csr").write_text("in the way")
    assert same(load_snapshot(own), made)
    shutil.rmtree(own.path)
    with pytest.raises(InputError, match="gone or damaged"):
        load_snapshot(own)


PREDICATE = st.sampled_from([Predicate.SUBCLASS_OF, Predicate.HAS_PHENOTYPE, Predicate.TREATS])
NODE = st.integers(0, 9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NODE, PREDICATE, NODE, st.floats(-1, 2)), max_size=40))
def test_both_directions_hold_the_same_statements(rows: list[tuple[int, Predicate, int, float]]) -> None:
    ids = [f"HP:{i}" if i % 2 else f"É:{i}" for i in range(10)]
    concepts = pl.DataFrame(
        {"id": ids, "category": ["biolink:PhenotypicFeature"] * 10, "deprecated": [False] * 10}
    ).lazy()
    schema = {"id": pl.String, "subject": pl.String, "object": pl.String, "predicate": pl.String}
    statements = pl.DataFrame(
        [(f"S{i:03}", ids[s], ids[o], p.value, False, w) for i, (s, p, o, w) in enumerate(rows)],
        schema={**schema, "negated": pl.Boolean, "weight": pl.Float64},
        orient="row",
    ).lazy()
    snapshot = snapshot_of(concepts, statements)
    expected = {f"S{i:03}": (ids[s], p, ids[o]) for i, (s, p, o, _) in enumerate(rows) if s != o}
    every = list(range(len(snapshot)))
    for edges in (snapshot.out_edges(every), snapshot.in_edges(every)):
        told = {
            snapshot.statements[e].decode(): (
                snapshot.id(int(s)),
                PREDICATES[snapshot.predicates[e]],
                snapshot.id(int(snapshot.targets[e])),
            )
            for e, s in zip(edges, snapshot.subjects(edges), strict=True)
        }
        assert told == expected and len(edges) == len(expected)
    assert ((snapshot.weights >= 0) & (snapshot.weights <= 1)).all()
    for place in every:
        assert (snapshot.subjects(snapshot.out_edges([place])) == place).all()
        assert (snapshot.targets[snapshot.in_edges([place])] == place).all()
