"""The annotated notes: offsets in their texts, terms that exist, and the agreement that is written beside them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from benchmarks.linking_notes import FLAGS, SETS, agreement, all_notes, draw, read_annotations
from tests.kg.samples import phenotypes

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests" / "data" / "linking"
TEXTS = ROOT.parent / "shared" / "data" / "text"
FILES = (*SETS, "second", "second_2")


@pytest.mark.parametrize("name", FILES)
def test_every_record_is_whole(name: str) -> None:
    known = {term.id for term in phenotypes()}
    for mentions in read_annotations(FOLDER / f"{name}.jsonl").values():
        spans = [(m["start"], m["end"]) for m in mentions]
        assert spans == sorted(set(spans))
        for mention in mentions:
            assert 0 <= mention["start"] < mention["end"]  # type: ignore[operator]
            assert set(mention["flags"]) <= set(FLAGS)  # type: ignore[call-overload]
            assert mention["concepts"]
            assert known.issuperset(mention["concepts"])  # type: ignore[arg-type]


def test_no_text_of_the_notes_is_kept() -> None:
    for line in (FOLDER / "flags.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        assert set(record) == {"note", "reader", "sha256", "mentions"}
        for one in record["mentions"]:
            assert set(one) == {"start", "end", "flags"} and set(one["flags"]) <= set(FLAGS)
    for name in FILES:
        for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            assert set(record) == {"note", "reader", "sha256", "mentions"}
            assert all(set(one) == {"start", "end", "concepts", "flags"} for one in record["mentions"])


@pytest.mark.parametrize(
    ("firsts", "second", "notes", "both"),
    [(("develop", "unseen"), "second", 10, 343), (("unseen_2",), "second_2", 6, 139)],
)
def test_agreement_is_what_the_readme_says(
    firsts: tuple[str, ...], second: str, notes: int, both: int, tmp_path: Path
) -> None:
    first = tmp_path / "first.jsonl"
    first.write_text("".join((FOLDER / f"{name}.jsonl").read_text() for name in firsts))
    found = agreement(first, FOLDER / f"{second}.jsonl")
    columns = ("mention F1", "exact span F1", "concept accepted by both", *FLAGS)
    row = "| " + " | ".join(f"{found[name]:.3f}" for name in columns) + " |"
    assert row in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert (found["notes"], found["mentions of both readers"]) == (notes, both)


@pytest.mark.skipif(not TEXTS.is_dir(), reason="the notes' texts are not here")
def test_records_belong_to_the_notes_drawn() -> None:
    notes = all_notes(TEXTS)
    halves = draw(notes)
    for half in SETS:
        lines = (FOLDER / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()
        records = {record["note"]: record for record in map(json.loads, lines)}
        assert sorted(records) == sorted(note for note, which in halves.items() if which == half)
        for note, record in records.items():
            text = notes[note]
            assert hashlib.sha256(text.encode()).hexdigest() == record["sha256"]
            for one in record["mentions"]:
                words = text[one["start"] : one["end"]]
                assert words
                assert words == words.strip()
