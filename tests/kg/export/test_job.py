from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import cli
from ehr.errors import InputError
from kg.bundle import Bundle
from kg.export import FORMATS, export_bundle
from kg.export import job as export_job
from kg.export.licences import licences_text, terms_of
from tests.kg.export.bundles import AWKWARD, SOURCES, write_awkward


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_awkward(tmp_path / "graph")


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("licence", ["any", "open"])
def test_every_format_of_all_and_of_the_open_part(graph: Path, tmp_path: Path, to: str, licence: str) -> None:
    out = tmp_path / "out"
    rows = export_bundle(graph, out, to=to, licence=licence)
    assert names(tmp_path) == {"graph", "out"}
    assert {"LICENCES.txt", "export.json"} < names(out)
    manifest = json.loads((out / "export.json").read_text())
    assert set(manifest["files"]) | {"export.json"} == names(out)
    assert (manifest["format"], manifest["licence"]) == (to, licence)
    found = {str(row["what"]): row for row in rows}
    assert found["evidence"]["written"] == (19 if licence == "any" else 10)
    assert found["evidence"]["left out"] == (0 if licence == "any" else 9)
    assert found["source shut 1"]["left out"] == (0 if licence == "any" else 9)
    text = "".join(file.read_text(encoding="utf-8") for file in sorted(out.iterdir()) if file.suffix != ".txt")
    assert ("shut" in text) == (licence == "any")
    # A mode that others can read, however the temporary directory was made.
    assert out.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_licences(graph: Path, tmp_path: Path) -> None:
    export_bundle(graph, tmp_path / "any", to="kgx")
    text = (tmp_path / "any" / "LICENCES.txt").read_text(encoding="utf-8")
    assert "NOT TO BE PASSED ON" in text
    assert "  licence   Shut licence of two lines" in text
    assert "ab" * 32 in text
    assert "gone" not in text
    export_bundle(graph, tmp_path / "open", to="kgx", licence="open")
    text = (tmp_path / "open" / "LICENCES.txt").read_text(encoding="utf-8")
    assert "NOT TO BE PASSED ON" not in text
    assert text.index("free") < text.index("Left out") < text.index("shut")


def test_addresses_come_from_the_catalogue() -> None:
    entries = [{"name": "hpo", "format": "obo"}, {"name": "hpoa", "format": "csv"}, *SOURCES]
    urls = {one.name: one.url for one in terms_of({"sources": entries})}
    assert urls == {"hpo": "https://hpo.jax.org", "hpoa": "", "shut": "", "free": ""}
    assert licences_text(()).startswith("Sources")


def test_an_earlier_export_is_replaced(graph: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    export_bundle(graph, out, to="kgx")
    (out / "import.report").write_text("left by the import tool")
    export_bundle(graph, out, to="turtle")
    assert names(out) == {"graph.ttl", "LICENCES.txt", "export.json"}


@pytest.mark.parametrize("spoil", ["notes.txt", "export.json"])
def test_anything_else_is_not(graph: Path, tmp_path: Path, spoil: str) -> None:
    out = tmp_path / "out"
    if spoil == "notes.txt":
        export_bundle(graph, out, to="kgx")
    else:
        out.mkdir()
        (out / "nodes.tsv").write_text("somebody's")
    (out / spoil).write_text('{"files": ["nodes.tsv", "export.json"]}')
    before = names(out)
    with pytest.raises(InputError, match="which no export wrote"):
        export_bundle(graph, out, to="kgx")
    assert names(out) == before


def test_never_into_the_bundle_or_over_a_file(graph: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which no export wrote"):
        export_bundle(graph, graph, to="kgx")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        export_bundle(graph, tmp_path / "file", to="kgx")
    Bundle.open(graph)


def test_what_is_interrupted_leaves_nothing(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    export_bundle(graph, out, to="kgx")
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def interrupted(bundle: Bundle, folder: Path) -> dict[str, int]:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    monkeypatch.setitem(export_job.FORMATS, "kgx", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_bundle(graph, out, to="kgx", licence="open", centre="HP:0000001")
    assert names(tmp_path) == {"graph", "out"}
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_build_in_between_is_noticed(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rebuilt(bundle: Bundle, folder: Path) -> dict[str, int]:
        manifest = json.loads((graph / "manifest.json").read_text())
        (graph / "manifest.json").write_text(json.dumps(manifest | {"hash": "another"}))
        return {}

    monkeypatch.setitem(export_job.FORMATS, "kgx", rebuilt)
    with pytest.raises(InputError, match="built anew"):
        export_bundle(graph, tmp_path / "out", to="kgx")
    assert names(tmp_path) == {"graph"}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"to": "gexf"}, "unknown format"),
        ({"to": "kgx", "licence": "some"}, "expected open or any"),
        ({"to": "kgx", "hops": -1}, "--hops"),
        ({"to": "graphml", "limit": 0}, "--limit"),
        ({"to": "kgx", "limit": 5}, "--centre"),
        ({"to": "graphml", "limit": 5}, "at most 5"),
        ({"to": "kgx", "centre": "HP:404"}, "no concept"),
    ],
)
def test_what_cannot_be_done(graph: Path, tmp_path: Path, said: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        export_bundle(graph, tmp_path / "out", **said)  # type: ignore[arg-type]
    assert names(tmp_path) == {"graph"}


def test_the_part_around_a_concept(graph: Path, tmp_path: Path) -> None:
    rows = export_bundle(graph, tmp_path / "out", to="graphml", centre="HP:0000001", hops=1, limit=3)
    assert rows[0] == {"what": "concepts", "written": 3, "left out": len(AWKWARD) - 3, "licence": ""}


def test_the_command(graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(graph), "--to", "turtle", str(tmp_path / "out"), "--format", "json"]
    cli.kg_app(arguments, standalone_mode=False)
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert [row["what"] for row in rows][:2] == ["concepts", "synonyms"]
    assert "Shut licence" in said.err
    with pytest.raises(InputError, match="no graph bundle"):
        cli.kg_app(["export", str(tmp_path), "--to", "kgx", str(tmp_path / "b")], standalone_mode=False)
