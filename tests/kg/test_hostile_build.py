"""A whole build over sources with faults: what is kept, what is counted and said, and what is left behind."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pytest

import cli
from ehr.progress import set_quiet
from kg.build import build
from kg.bundle import Bundle
from kg.validate import validate
from tests.kg.samples import UNITS, collect, write_unit
from tests.kg.tiny_sources import HPOA, ICD, OBO

TERM = "\n[Term]\nid: {}\nname: {}\n"
BAD_OBO = OBO + "\n[Term]\nid: HP:0000777\nname: Odd\nsynonym: no quotes\nis_a: nothing\n[Term]\nname: no id\n"


@pytest.fixture
def kg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Call ``kg`` in this process; gives exit code, standard output and lines of standard error."""

    def call(*arguments: str) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["kg", *arguments])
        monkeypatch.setenv("COLUMNS", "250")
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.kg_main()
        set_quiet(False)
        shown = capsys.readouterr()
        code = done.value.code
        return (code if isinstance(code, int) else 0), shown.out, shown.err.splitlines()

    return call


def write(folder: Path, **texts: str | bytes) -> dict[str, Path]:
    paths = {}
    for name, text in texts.items():
        paths[name] = folder / name.replace("_", ".")
        paths[name].write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def test_bad_records_are_kept_with_source_line_and_reason_and_counted(tmp_path: Path, kg) -> None:  # type: ignore[no-untyped-def]
    lines = BAD_OBO.split("\n")
    where = [f"line {lines.index(one) + 1}" for one in ("synonym: no quotes", "is_a: nothing", "name: no id")]
    files = write(tmp_path, hp_obo=BAD_OBO, tiny_hpoa=HPOA.replace("3/4", "7/4"))
    graph = tmp_path / "graph"
    sources = ["--source", f"obo:{files['hp_obo']}", "--source", f"hpoa:{files['tiny_hpoa']}"]
    code, out, _ = kg("build", *sources, "--bundle", str(graph), "--store", "none")
    assert code == 0
    assert "3 rejects" in out and "1 rejects" in out
    rejects = Bundle.open(graph).rejects.sort("source", "record").collect().rows()
    assert [row[:2] for row in rejects if row[0] == "hp"] == sorted(
        [("hp", where[0]), ("hp", where[1]), ("hp", f"line {lines.index('name: no id')}")]
    )
    reasons = {row[1]: row[2] for row in rejects}
    assert reasons[where[0]] == "synonym of HP:0000777: expected a text in double quotes"
    assert reasons[where[1]] == "is_a of HP:0000777: 'nothing' is no id such as HP:0001945"
    assert [row for row in rejects if row[0] == "tiny"] == [
        ("tiny", "line 4", "OMIM:1 HP:0001945: frequency '7/4': expected an HPO frequency term, n/m or a percentage")
    ]
    assert validate(graph) == []


def test_strict_fails_with_file_line_and_term(tmp_path: Path, kg) -> None:  # type: ignore[no-untyped-def]
    files = write(tmp_path, hp_obo=BAD_OBO)
    bundle = ["--bundle", str(tmp_path / "graph"), "--store", "none", "--quiet"]
    code, out, err = kg("build", "--source", f"obo:{files['hp_obo']}", *bundle, "--strict")
    line = BAD_OBO.split("\n").index("synonym: no quotes") + 1
    assert (code, out, len(err)) == (2, "", 1), err
    assert f"{files['hp_obo']} line {line}: synonym of HP:0000777: expected a text in double quotes" in err[0]
    assert "(3 such records)" in err[0]
    assert not (tmp_path / "graph").exists()


def test_keep_going_leaves_a_broken_source_out_and_names_it(tmp_path: Path, kg) -> None:  # type: ignore[no-untyped-def]
    files = write(tmp_path, hp_obo=OBO, bomb_xml='<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><a>&b;</a>')
    sources = ["--source", f"obo:{files['hp_obo']}", "--source", f"icd10cm:{files['bomb_xml']}"]
    where = ["--bundle", str(tmp_path / "graph"), "--store", "none"]
    code, out, err = kg("build", *sources, *where, "--keep-going")
    assert code == 0
    assert any(line.startswith("left out bomb: ") and "declares the entity 'a'" in line for line in err)
    assert "failed" in out
    assert Bundle.open(tmp_path / "graph").concept("HP:0001945") is not None
    code, out, err = kg("build", *sources, "--bundle", str(tmp_path / "other"), "--store", "none", "--quiet")
    assert (code, out, len(err)) == (2, "", 1)
    assert f"{files['bomb_xml']} line 1: declares the entity 'a'" in err[0]
    assert not (tmp_path / "other").exists()


def test_circles_are_kept_and_ids_that_nobody_declares_become_minimal_concepts(tmp_path: Path) -> None:
    text = "format-version: 1.2\n" + "".join(
        f"\n[Term]\nid: {child}\nname: {child}\nis_a: {parent}\n"
        for child, parent in (("X:1", "X:2"), ("X:2", "X:3"), ("X:3", "X:1"), ("X:3", "GONE:7"), ("X:4", "X:4"))
    )
    files = write(tmp_path, circle_obo=text)
    report = build([f"obo:{files['circle_obo']}"], tmp_path / "graph")
    graph = Bundle.open(tmp_path / "graph")
    edges = set(graph.statements.select("subject", "object").collect().rows())
    assert edges == {("X:1", "X:2"), ("X:2", "X:3"), ("X:3", "X:1"), ("X:3", "GONE:7")}
    assert report.dangling == ("GONE:7",)
    assert graph.concept("GONE:7").name == "GONE:7"  # type: ignore[union-attr]
    assert graph.rejects.select("reason").collect().rows() == [("a concept stands in relation to itself",)]
    assert validate(tmp_path / "graph") == []


def test_circles_of_codes_do_not_hold_the_phenotypes_up(tmp_path: Path) -> None:
    """A code below itself, and a ladder of diamonds with 2 to the power of 40 ways from its top to its foot."""
    pairs = [("N17", "N00"), ("N17.0", "N17"), ("N17", "N17.0")]
    for step in range(40):
        pairs += [(f"A{step:02}.{side}", f"A{step:02}") for side in "12"]
        pairs += [(f"A{step + 1:02}", f"A{step:02}.{side}") for side in "12"]
    text = "".join(f"\n[Term]\nid: ICD10CM:{child}\nname: x\nis_a: ICD10CM:{parent}\n" for child, parent in pairs)
    files = write(tmp_path, icd_obo="format-version: 1.2\n" + text)
    build([f"obo:{files['icd_obo']}", "phenotypes"], tmp_path / "graph")
    assert Bundle.open(tmp_path / "graph").concept("CCS:157") is not None


def test_a_long_chain_of_former_ids_ends_at_the_current_one(tmp_path: Path) -> None:
    length = 20_000
    chain = "".join(
        f"[Term]\nid: X:{number}\nname: n\nis_obsolete: true\nreplaced_by: X:{number + 1}\n" for number in range(length)
    )
    circle = "".join(f"[Term]\nid: Y:{n}\nname: n\nis_obsolete: true\nreplaced_by: Y:{(n + 1) % 9}\n" for n in range(9))
    last = f"[Term]\nid: X:{length}\nname: last\n[Term]\nid: Z:1\nname: z\nis_a: X:0\nis_a: Y:0\n"
    files = write(tmp_path, chain_obo=f"format-version: 1.2\n{chain}{circle}{last}")
    build([f"obo:{files['chain_obo']}"], tmp_path / "graph")
    edges = Bundle.open(tmp_path / "graph").statements.select("subject", "object").collect().rows()
    assert sorted(edges) == [("Z:1", f"X:{length}"), ("Z:1", "Y:0")]


@pytest.mark.parametrize(("format_", "unit"), [("kgx", "tsv"), ("kgx", "jsonl"), ("optimuskg", "whole")])
def test_one_file_of_a_pair_may_be_named(tmp_path: Path, format_: str, unit: str) -> None:
    folder = write_unit(tmp_path, format_, unit)
    expected = collect(format_, folder, tmp_path / "parts").counts
    for file in sorted(folder.iterdir()):
        assert collect(format_, file, tmp_path / "parts").counts == expected
    source = [f"{format_}:{file}?name=x"]
    assert not build(source, tmp_path / "graph").unchanged
    assert build(source, tmp_path / "graph").unchanged


def test_a_name_that_is_no_text_is_read_like_any_other(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/od\xffd.obo"))
    path.write_text(OBO)
    report = build([f"obo:{path}"], tmp_path / "graph")
    assert [source.name for source in report.sources] == ["od?d"]
    assert validate(tmp_path / "graph") == []
    assert build([f"obo:{path}"], tmp_path / "graph").unchanged


def _hostile(folder: Path) -> dict[str, tuple[str, str]]:
    """Give sources by what is wrong with them, each with a part of what has to be said."""
    os.mkfifo(folder / "pipe.obo")
    (folder / "loop.obo").symlink_to("loop.obo")
    (folder / "dir").mkdir()
    files = write(
        folder,
        empty_obo="",
        cut_gz=gzip.compress(OBO.encode())[:-20],
        zeros_hpoa=b"\0" * 10_000,
        half_xml=ICD[:700],
        csv_obo="a,b\n1,2\n",
        line_txt="x" * 100,
        control_csv="id,\x1b[2jname\n",
    )
    return {
        "pipe": (f"obo:{folder}/pipe.obo", "neither a file nor a directory"),
        "device": ("obo:/dev/zero", "neither a file nor a directory"),
        "loop": (f"obo:{folder}/loop.obo", "symbolic links lead back"),
        "directory for a file": (f"obo:{folder}/dir", "is a directory, expected a file"),
        "file for a directory": (f"umls:{files['line_txt']}", "holds no MRCONSO.RRF, found line.txt"),
        "empty directory": (f"umls:{folder}/dir", "holds no MRCONSO.RRF, found nothing"),
        "no such user": ("obo:~nobody-of-that-name/x.obo", "no such user"),
        "name too long": (f"obo:{folder}/{'x' * 5000}", "too long"),
        "empty": (f"obo:{files['empty_obo']}", "empty.obo"),
        "cut": (f"obo:{files['cut_gz']}", "cut.gz: truncated gzip"),
        "zeros": (f"hpoa:{files['zeros_hpoa']}", "zeros.hpoa"),
        "half": (f"icd10cm:{files['half_xml']}", "half.xml: not well-formed XML"),
        "another format": (f"obo:{files['csv_obo']}", "is this an OBO file?"),
        "control characters": (f"names:{files['control_csv']}", "found id, ?[2jname"),
    }


def test_whatever_is_wrong_is_one_line_exit_code_2_and_no_bundle(tmp_path: Path, kg) -> None:  # type: ignore[no-untyped-def]
    for number, (what, (source, said)) in enumerate(_hostile(tmp_path).items()):
        graph = tmp_path / f"graph{number}"
        code, out, err = kg("build", "--source", source, "--bundle", str(graph), "--store", "none", "--quiet")
        assert (code, out, len(err)) == (2, "", 1), (what, err)
        assert said in err[0], (what, err)
        assert "\x1b" not in err[0]
        assert not graph.exists(), what


def test_all_samples_together_make_a_sound_graph(tmp_path: Path) -> None:
    sources = [
        f"{format_}:{write_unit(tmp_path / format_, format_, unit)}?name={number}"
        for number, (format_, unit) in enumerate(UNITS)
    ]
    report = build(sources, tmp_path / "graph")
    assert [source.status for source in report.sources] == ["loaded"] * len(UNITS)
    assert validate(tmp_path / "graph") == []
