"""The notes that concept linking is measured on: drawn by a seed, annotated by hand, kept without their text.

    python benchmarks/linking_notes.py draw --texts DIR                      # the notes of both draws, one line each
    python benchmarks/linking_notes.py show --texts DIR NOTE                 # one note as it stands in its file
    python benchmarks/linking_notes.py compile --texts DIR READER DRAFT OUT  # a reader's draft to offsets
    python benchmarks/linking_notes.py agree FIRST SECOND                    # agreement of two readers

``DIR`` holds ACI-Bench (``aci-bench_*.csv.gz``) and MTS-Dialog (``MTS-Dialog-*.csv.gz``). A draft is tab-separated:
note, words as they stand there, which occurrence of them (from 1), concept ids accepted (best first, by blanks), flags
of ``negated historical hypothetical family`` (by blanks, or empty).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

SEED, SECOND_SEED = 20261126, 20261127
ACI_NOTES, MTS_NOTES = 24, 36
SETS = ("develop", "unseen", "develop_2", "unseen_2")
"""Of the first draw, half each; of the second, made after `unseen` had been scored, a third and two thirds."""
MTS_SHORTEST = 250  # characters; the shortest sections name nothing
FLAGS = ("negated", "historical", "hypothetical", "family")


def all_notes(texts: Path) -> dict[str, str]:
    """Give every note's text by its id, such as ``aci-bench_train:D2N001``, as it stands in its file."""
    found: dict[str, str] = {}
    for path in sorted(texts.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                number = row.get("encounter_id") or row["ID"]
                found[f"{path.name.removesuffix('.csv.gz')}:{number}"] = row.get("note") or row["section_text"]
    return found


def draw(notes: dict[str, str]) -> dict[str, str]:
    """Draw the notes by their seeds and give each its set, one of `SETS`; equal shares of both sources in each draw."""
    left = {
        "aci": sorted(name for name in notes if name.startswith("aci-bench")),
        "mts": sorted(name for name, text in notes.items() if name.startswith("MTS") and len(text) >= MTS_SHORTEST),
    }
    sets: dict[str, str] = {}
    for seed, develop, unseen, part in ((SEED, *SETS[:2], 2), (SECOND_SEED, *SETS[2:], 3)):
        generator = random.Random(seed)
        for source, count in (("aci", ACI_NOTES), ("mts", MTS_NOTES)):
            drawn = generator.sample(left[source], count)
            for place, name in enumerate(drawn):
                sets[name] = develop if place < count // part else unseen
            left[source] = [name for name in left[source] if name not in sets]
    return sets


def occurrence(text: str, words: str, number: int) -> tuple[int, int] | None:
    """Give the span of the ``number``-th occurrence (from 1) of ``words``, None where there is none."""
    start = -1
    for _ in range(number):
        start = text.find(words, start + 1)
        if start < 0:
            return None
    return start, start + len(words)


def compile_draft(notes: dict[str, str], reader: str, draft: Path) -> Iterator[dict[str, object]]:
    """Turn a draft into one record a note; a line that does not fit stops with its number."""
    mentions: dict[str, list[dict[str, object]]] = {}
    for line, row in enumerate(draft.read_text(encoding="utf-8").splitlines(), start=1):
        if not row.strip() or row.startswith("#"):
            continue
        cells = [*row.split("\t"), ""][:5]
        if len(cells) < 5:
            sys.exit(f"{draft} line {line}: expected 4 or 5 columns divided by tabs")
        note, words, number, concepts, flags = cells
        if note not in notes:
            sys.exit(f"{draft} line {line}: no note {note!r}")
        mentions.setdefault(note, [])
        if not words:  # a note that was read and names nothing
            continue
        span = occurrence(notes[note], words, int(number))
        if span is None:
            sys.exit(f"{draft} line {line}: the note has no occurrence {number} of {words!r}")
        unknown = set(flags.split()) - set(FLAGS)
        if unknown or not concepts.split():
            sys.exit(f"{draft} line {line}: unknown flag {unknown} or no concept")
        mentions[note].append({"start": span[0], "end": span[1], "concepts": concepts.split(), "flags": flags.split()})
    for note in sorted(mentions):
        spans = [(m["start"], m["end"]) for m in mentions[note]]
        if len(set(spans)) < len(spans):
            sys.exit(f"{draft}: {note} has one span twice: {next(s for s in spans if spans.count(s) > 1)}")
        yield {
            "note": note,
            "reader": reader,
            "sha256": hashlib.sha256(notes[note].encode()).hexdigest(),
            "mentions": sorted(mentions[note], key=lambda m: (m["start"], m["end"])),  # type: ignore[arg-type,return-value]
        }


def read_annotations(path: Path) -> dict[str, list[dict[str, object]]]:
    """Give a file's mentions by note."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {record["note"]: record["mentions"] for record in records}


def agreement(first: Path, second: Path) -> dict[str, float | int]:
    """Compare two readers on the notes that both read: F1 of spans that overlap, then concept and flags given those."""
    one, two = read_annotations(first), read_annotations(second)
    common = sorted(one.keys() & two.keys())
    pairs, exact, total = [], 0, 0
    for note in common:
        total += len(one[note]) + len(two[note])
        left = list(two[note])
        for mine in one[note]:
            for other in left:
                if mine["start"] < other["end"] and other["start"] < mine["end"]:  # type: ignore[operator]
                    pairs.append((mine, other))
                    exact += (mine["start"], mine["end"]) == (other["start"], other["end"])
                    left.remove(other)
                    break
    count = max(1, len(pairs))
    result: dict[str, float | int] = {
        "notes": len(common),
        "mentions of both readers": total,
        "mention F1": round(2 * len(pairs) / max(1, total), 3),
        "exact span F1": round(2 * exact / max(1, total), 3),
        "concept accepted by both": round(
            sum(a["concepts"][0] in b["concepts"] or b["concepts"][0] in a["concepts"] for a, b in pairs) / count,  # type: ignore[index,operator]
            3,
        ),
    }
    for flag in FLAGS:
        result[flag] = round(sum((flag in a["flags"]) == (flag in b["flags"]) for a, b in pairs) / count, 3)  # type: ignore[operator]
    return result


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in {
        "draw": (),
        "show": ("note",),
        "compile": ("reader", "draft", "out"),
        "agree": ("first", "second"),
    }.items():
        command = commands.add_parser(name)
        if name != "agree":
            command.add_argument("--texts", type=Path, required=True)
        for argument in arguments:
            command.add_argument(argument)
    chosen = parser.parse_args()
    if chosen.command == "agree":
        print(json.dumps(agreement(Path(chosen.first), Path(chosen.second)), indent=2))
        return
    notes = all_notes(chosen.texts)
    if chosen.command == "draw":
        for name, drawn in draw(notes).items():
            print(f"{drawn}\t{name}\t{len(notes[name])}")
    elif chosen.command == "show":
        print(notes[chosen.note])
    else:
        lines = [json.dumps(record) for record in compile_draft(notes, chosen.reader, Path(chosen.draft))]
        Path(chosen.out).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        print(f"{len(lines)} notes")


if __name__ == "__main__":
    main()
