from __future__ import annotations

import dataclasses
import gzip
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

import kg.bundle
from ehr.errors import InputError
from kg import catalogue
from kg.build import build
from kg.bundle import Bundle, build_lock
from kg.schema import Schema
from kg.types import statement_id
from kg.validate import validate
from kg.vocabulary import Category, Predicate
from tests.kg.tiny_sources import HPOA, ICD, OBO, build_tiny, write_sources


def contents(bundle: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in bundle.iterdir() if f.is_file() and not f.name.startswith(".")}


def row(frame: pl.LazyFrame, **values: object) -> dict[str, object]:
    found = frame.filter(*[pl.col(k) == v for k, v in values.items()]).collect()
    assert found.height == 1, found
    return found.to_dicts()[0]


def test_one_graph_of_all_sources(tmp_path: Path) -> None:
    _, path, report = build_tiny(tmp_path)
    assert validate(path) == []
    assert not report.unchanged
    assert [s.status for s in report.sources] == ["loaded"] * 6
    bundle = Bundle.open(path)
    assert bundle.concept("HP:0001945").name == "Fever"  # type: ignore[union-attr]
    assert bundle.concept("HP:0001945").category is Category.PHENOTYPE  # type: ignore[union-attr]
    assert bundle.category("HP:0000006") is Category.OTHER, "a mode of inheritance is no phenotype"
    assert row(bundle.synonyms, concept="HP:0001945", text="burning up")["source"] == "bridge"
    below = bundle.statements.filter(pl.col("object") == "CCS:157").collect()
    assert set(below["subject"]) == {"ICD10CM:N17", "ICD10CM:N19"}
    assert bundle.name("LOINC:32693-4") == "lactate"
    assert report.totals == {n: bundle.table(n).select(pl.len()).collect().item() for n in report.totals}
    assert {r["kind"] for r in report.rows() if r["source"] == "hpoa"} == {
        "biolink:Disease",
        "biolink:has_phenotype",
        "biolink:related_to",
    }


def test_evidence_of_equal_statements_is_gathered_and_former_ids_are_renewed(tmp_path: Path) -> None:
    """Two rows of the annotations, one under a former id, make one statement with two reasons."""
    _, path, _ = build_tiny(tmp_path)
    bundle = Bundle.open(path)
    wanted = statement_id("OMIM:1", Predicate.HAS_PHENOTYPE, "HP:0001945", False)
    assert row(bundle.statements, id=wanted)["weight"] == 0.75
    reasons = bundle.evidence.filter(pl.col("statement") == wanted).collect()
    assert sorted(reasons["object_as_written"]) == ["HP:0001945", "HP:0009999"]
    assert bundle.statements.filter(pl.col("object") == "HP:0009999").collect().is_empty()
    assert bundle.current("HP:0009999") == "HP:0001945"


def test_symmetric_statements_meet_whichever_way_they_are_written(tmp_path: Path) -> None:
    _, path, _ = build_tiny(tmp_path)
    bundle = Bundle.open(path)
    found = row(bundle.statements, predicate=Predicate.DIFFERENTIAL_WITH.value)
    assert (found["subject"], found["object"], found["weight"]) == ("CCS:122", "CCS:2", 0.5)
    assert bundle.evidence.filter(pl.col("statement") == found["id"]).collect().height == 2


def test_two_sources_of_one_statement_are_one_row_with_two_reasons(tmp_path: Path) -> None:
    write_sources(tmp_path)
    (tmp_path / "other.obo").write_text(
        "[Term]\nid: HP:0001945\nname: Febrile state\nxref: UMLS:C9\nis_a: HP:0000118\n", encoding="utf-8"
    )
    report = build([f"obo:{tmp_path}/hp.obo", f"obo:{tmp_path}/other.obo"], tmp_path / "graph")
    bundle = Bundle.open(tmp_path / "graph")
    found = row(bundle.statements, subject="HP:0001945", predicate=Predicate.SUBCLASS_OF.value)
    assert found["sources"] == ["hp", "other"]
    assert bundle.evidence.filter(pl.col("statement") == found["id"]).collect().height == 2
    fever = bundle.concept("HP:0001945")
    assert fever is not None
    assert fever.name == "Fever"
    assert "Febrile state" in {s.text for s in fever.synonyms}
    assert {"UMLS:C9", "UMLS:C0015967"} <= set(fever.xrefs)
    assert report.predicates[("hp", "biolink:subclass_of")] == 5
    assert report.predicates[("other", "biolink:subclass_of")] == 1


def test_dangling_ends_become_minimal_concepts_and_are_reported(tmp_path: Path) -> None:
    (tmp_path / "x.hpoa").write_text(HPOA, encoding="utf-8")
    report = build([f"hpoa:{tmp_path}/x.hpoa"], tmp_path / "graph")
    assert report.dangling == ("HP:0000006", "HP:0001945", "HP:0009999", "HP:0012531")
    lone = Bundle.open(tmp_path / "graph").concept("HP:0001945")
    assert lone is not None
    assert (lone.name, lone.category, lone.source) == ("HP:0001945", Category.PHENOTYPE, "x")
    assert validate(tmp_path / "graph") == []


def test_loops_and_names_of_nobody_are_rejected(tmp_path: Path) -> None:
    sources = write_sources(tmp_path)
    (tmp_path / "hp.obo").write_text(OBO.replace("is_a: HP:0000118\n", "is_a: HP:0000118\nis_a: HP:0012531\n"))
    report = build(sources, tmp_path / "graph")
    rejects = Bundle.open(tmp_path / "graph").rejects.collect()
    assert set(rejects["record"]) == {"HP:0012531 biolink:subclass_of HP:0012531", "HP:0009876"}
    assert {s.name: s.counts["rejects"] for s in report.sources if s.counts["rejects"]} == {"hpo": 1, "bridge": 1}


def test_equal_sources_give_equal_bytes_and_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    sources, path, report = build_tiny(tmp_path)
    again = build(sources, tmp_path / "again")
    assert contents(path) == contents(tmp_path / "again")
    head, *rows = HPOA.splitlines()[2:]
    (tmp_path / "sources" / "tiny.hpoa").write_text("\n".join(["#version: 2025-01-16", head, *rows[::-1], ""]))
    assert build(sources, tmp_path / "again").hash == again.hash == report.hash


def test_a_second_build_does_nothing_until_something_changes(tmp_path: Path) -> None:
    sources, path, first = build_tiny(tmp_path)
    stamps = {f.name: f.stat().st_mtime_ns for f in path.iterdir() if f.name != ".digests.json"}
    second = build(sources, path)
    assert second.unchanged
    assert (second.hash, second.sources, second.totals) == (first.hash, first.sources, first.totals)
    assert {f.name: f.stat().st_mtime_ns for f in path.iterdir() if f.name != ".digests.json"} == stamps
    hpoa = tmp_path / "sources" / "tiny.hpoa"
    hpoa.write_text(HPOA.replace("3/4", "1/4"), encoding="utf-8")
    third = build(sources, path)
    assert not third.unchanged
    assert third.hash != first.hash
    assert build(sources[:2], path).unchanged is False, "another selection of sources is another build"


def test_a_damaged_bundle_is_built_again(tmp_path: Path) -> None:
    sources, path, first = build_tiny(tmp_path)
    whole = contents(path)
    for damage in ("concepts.parquet", "manifest.json"):
        (path / damage).write_bytes(b"{}")
        with pytest.raises(InputError):
            Bundle.open(path)
        assert build(sources, path).hash == first.hash
        assert contents(path) == whole


def test_files_of_others_in_the_directory_stay(tmp_path: Path) -> None:
    sources, path, _ = build_tiny(tmp_path)
    (path / "graph.lbug").write_bytes(b"a database")
    (path / "index").mkdir()
    (path / "index" / "names").write_text("x")
    (tmp_path / "sources" / "tiny.hpoa").write_text(HPOA.replace("3/4", "1/4"), encoding="utf-8")
    assert not build(sources, path).unchanged
    assert (path / "graph.lbug").read_bytes() == b"a database"
    assert (path / "index" / "names").exists()


def _build_and_die(sources: list[str], bundle: Path, moves: int) -> None:
    """Build, and kill the own process before the ``moves``-th file is put in place."""
    made = 0
    real = kg.bundle._move

    def move(source: Path, target: Path) -> None:
        nonlocal made
        if made == moves:
            os.kill(os.getpid(), signal.SIGKILL)
        made += 1
        real(source, target)

    kg.bundle._move = move  # type: ignore[assignment]
    build(sources, bundle)


@pytest.mark.parametrize("moves", [0, 1, 4, 7])
def test_killed_between_two_files_the_new_bundle_is_whole(tmp_path: Path, moves: int) -> None:
    sources, path, old = build_tiny(tmp_path)
    (tmp_path / "sources" / "tiny.hpoa").write_text(HPOA.replace("3/4", "1/4"), encoding="utf-8")
    expected = build(sources, tmp_path / "expected")
    process = multiprocessing.get_context("spawn").Process(target=_build_and_die, args=(sources, path, moves))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert Bundle.open(path).hash == expected.hash != old.hash
    assert validate(path) == []
    assert contents(path) == contents(tmp_path / "expected")
    assert build(sources, path).unchanged


def _build_and_die_early(sources: list[str], bundle: Path) -> None:
    def die(files: Sequence[Path], schema: Schema) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return f"{files} {schema}"

    kg.bundle.content_hash = die
    build(sources, bundle)


def test_killed_before_the_commit_the_old_bundle_stays(tmp_path: Path) -> None:
    sources, path, old = build_tiny(tmp_path)
    (tmp_path / "sources" / "tiny.hpoa").write_text(HPOA.replace("3/4", "1/4"), encoding="utf-8")
    process = multiprocessing.get_context("spawn").Process(target=_build_and_die_early, args=(sources, path))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert Bundle.open(path).hash == old.hash
    assert not build(sources, path).unchanged
    assert not list(path.glob(".building-*")), "what the killed build left is cleared away"


def test_a_failing_build_leaves_the_old_bundle_or_no_directory(tmp_path: Path) -> None:
    sources, path, old = build_tiny(tmp_path)
    (tmp_path / "sources" / "icd.xml").write_text(ICD[:700], encoding="utf-8")
    with pytest.raises(InputError, match=r"icd\.xml: not well-formed XML"):
        build(sources, path)
    assert Bundle.open(path).hash == old.hash
    with pytest.raises(InputError, match=r"icd\.xml"):
        build(sources, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_keep_going_leaves_a_broken_source_out_and_says_so(tmp_path: Path) -> None:
    sources = write_sources(tmp_path)
    broken = tmp_path / "tiny.hpoa"
    broken.write_bytes(gzip.compress(HPOA.encode())[:-10])
    report = build(sources, tmp_path / "graph", keep_going=True)
    failed = [s for s in report.sources if s.status == "failed"]
    assert [(s.name, "truncated gzip" in s.reason) for s in failed] == [("hpoa", True)]
    assert str(tmp_path) not in (tmp_path / "graph" / "manifest.json").read_text()
    assert Bundle.open(tmp_path / "graph").evidence.filter(pl.col("source") == "hpoa").collect().is_empty()
    assert build(sources, tmp_path / "graph", keep_going=True).unchanged
    with pytest.raises(InputError, match="truncated gzip"):
        build(sources, tmp_path / "graph")


def test_a_builtin_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = dataclasses.replace(catalogue.catalogue()["hpo"], package="no_such_package_here", pattern="*.obo")
    monkeypatch.setitem(catalogue.catalogue(), "hpo", absent)
    report = build(["hpo", "series"], tmp_path / "graph")
    assert [(s.name, s.status) for s in report.sources] == [("series", "loaded"), ("hpo", "skipped")]
    with pytest.raises(InputError, match="source hpo: is not there: package no_such_package_here"):
        build(["hpo", "series"], tmp_path / "graph", strict=True)
    with pytest.raises(InputError, match="no source to build from"):
        build(["hpo"], tmp_path / "graph")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nonsense", "unknown source 'nonsense'; `kg sources` lists"),
        ("own:x.own", "unknown format 'own'"),
        ("obo:missing.obo", r"missing\.obo: no such file"),
        ("obo:.", "is a directory"),
        ("obo:{dir}/hp.obo?colour=red", "unknown option 'colour'"),
        ("obo:{dir}/hp.obo?category=Fish", "unknown category 'Fish'"),
    ],
)
def test_a_source_that_cannot_be_is_one_clear_line(tmp_path: Path, source: str, message: str) -> None:
    write_sources(tmp_path)
    with pytest.raises(InputError, match=message):
        build([source.format(dir=tmp_path)], tmp_path / "graph")
    assert not (tmp_path / "graph").exists()


def test_two_sources_of_one_name(tmp_path: Path) -> None:
    write_sources(tmp_path)
    with pytest.raises(InputError, match="two sources are named 'hp'"):
        build([f"obo:{tmp_path}/hp.obo", f"obo:{tmp_path}/hp.obo"], tmp_path / "graph")


def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "sources")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file, expected a directory"):
        build(sources, tmp_path / "file")
    with pytest.raises(InputError, match="not a directory"):
        build(sources, tmp_path / "file" / "graph")
    if os.getuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(InputError, match="no permission"):
            build(sources, tmp_path / "closed" / "graph")


def _hold(path: Path, ready: object, release: object) -> None:
    with build_lock(path):
        ready.set()  # type: ignore[attr-defined]
        release.wait(20)  # type: ignore[attr-defined]


def test_two_builds_do_not_meet_in_one_directory(tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "sources")
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "graph", ready, release))
    process.start()
    try:
        assert ready.wait(20)
        with pytest.raises(InputError, match="another build runs here"):
            build(sources, tmp_path / "graph")
    finally:
        release.set()
        process.join()
    assert not build(sources, tmp_path / "graph").unchanged


def _fill_disk(sources: list[str], bundle: Path, answer: object) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        build(sources, bundle)
    except InputError as error:
        answer.put(str(error))  # type: ignore[attr-defined]
    except BaseException as error:
        answer.put(repr(error))  # type: ignore[attr-defined]


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "sources")
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_fill_disk, args=(sources, tmp_path / "graph", answer))
    process.start()
    said = answer.get(timeout=60)
    process.join()
    assert "file would be larger than is allowed" in said
    assert not (tmp_path / "graph").exists()


def test_bundles_of_other_formats_are_refused(tmp_path: Path) -> None:
    _, path, _ = build_tiny(tmp_path)
    with pytest.raises(InputError, match="is no graph bundle"):
        Bundle.open(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"format": 999}))
    with pytest.raises(InputError, match="bundle format 999"):
        Bundle.open(path)


def test_tables_of_another_schema_are_refused(tmp_path: Path) -> None:
    _, path, _ = build_tiny(tmp_path)
    file = path / "synonyms.parquet"
    frame = pl.read_parquet(file)
    frame.drop("scope").write_parquet(file)
    with pytest.raises(InputError, match=r"synonyms\.parquet: no column 'scope'"):
        Bundle.open(path)
    frame.with_columns(scope=pl.lit(1)).write_parquet(file)
    with pytest.raises(InputError, match="column 'scope' is Int32, expected String"):
        Bundle.open(path)
    file.unlink()
    with pytest.raises(InputError, match="no such file"):
        Bundle.open(path)


def test_a_copy_of_a_bundle_is_a_bundle(tmp_path: Path) -> None:
    _, path, report = build_tiny(tmp_path)
    shutil.copytree(path, tmp_path / "copy")
    assert Bundle.open(tmp_path / "copy").hash == report.hash
    started = time.monotonic()
    assert validate(tmp_path / "copy") == []
    assert time.monotonic() - started < 5


def test_a_new_version_of_a_source_says_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources, path, first = build_tiny(tmp_path)
    assert first.changes == ()
    (tmp_path / "sources" / "tiny.hpoa").write_text(HPOA.replace("3/4", "1/4"), encoding="utf-8")
    capsys.readouterr()
    report = build(sources, path)
    found = {(row["table"], row["kind"], row["source"]): row["count"] for row in report.changes}
    assert found == {("sources", "changed", "hpoa"): 1, ("statements", "changed", "hpoa"): 1}
    assert "since the last build, statements changed: 1 of hpoa" in capsys.readouterr().err
    assert build(sources, path).changes == ()
    hpo_only = build([one for one in sources if "hpoa" not in one], path)
    gone = {row["kind"] for row in hpo_only.changes if row["table"] == "statements"}
    assert gone == {"removed"}, "what only the source that left has said is gone, nothing else"
