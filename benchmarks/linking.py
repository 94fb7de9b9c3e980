"""How well and how fast text is linked to concepts, on notes annotated by hand, beside what others offer.

    python -m benchmarks.linking --half SET --texts DIR [--bundle graph/] [--errors] [--no-peers]

``SET`` is ``develop``, ``unseen``, ``develop_2`` or ``unseen_2``.

``DIR`` holds ACI-Bench and MTS-Dialog (see ``benchmarks/linking_notes.py``). Scores: mentions (a span that overlaps an
annotated one, one to one), terms (one of the accepted ones), and each context flag among the mentions found; 95 %
intervals by resampling notes. Only HPO's phenotypic abnormalities are scored, as only they are annotated. A term newer
than the annotations' release counts as its nearest parents of that release (where ``--release``, OBO Graphs, is there),
and a merged one as each of its parts. Speed is characters a CPU second of one core, everything loaded, measured in turn
with each peer (``benchmarks/linking_speed.py``). spaCy's PhraseMatcher with every HPO name and synonym, negspaCy and
medspaCy run in virtual environments of their own.
``--errors`` lists what went wrong, but never for what is unseen.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.linking_notes import FLAGS, SETS, all_notes, draw
from benchmarks.linking_scores import Gold, Said, counts, errors, with_intervals
from benchmarks.linking_speed import PEERS, ROUNDS, Peer, Timed, alternate, cpu_seconds, quickest, speed_rows
from ehr.progress import set_quiet
from kg.bundle import Bundle
from kg.link import Linker
from kg.link.hierarchy import descendants_of, parents_of
from kg.link.names import PHENOTYPE_ROOT, compile_names, load_names
from kg.types import Mention

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "linking"
OTHERS = 60
"""Notes of no set that are read before speed is measured."""
Answer = dict[str, list[Said]]


def read_half(half: str, texts: Path) -> tuple[dict[str, str], dict[str, list[Gold]]]:
    """Give the texts and annotations of one half; a text that is not the annotated one stops."""
    found: dict[str, str] = {}
    golds: dict[str, list[Gold]] = {}
    for note, text, mentions in annotated(half, texts):
        found[note] = text
        golds[note] = [Gold(m["start"], m["end"], tuple(m["concepts"]), frozenset(m["flags"])) for m in mentions]
    return found, golds


def annotated(name: str, texts: Path) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Give each note of a file of annotations, its text and its mentions; another text than the annotated one stops."""
    notes = all_notes(texts)
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        text = notes[record["note"]]
        if hashlib.sha256(text.encode()).hexdigest() != record["sha256"]:
            sys.exit(f"{record['note']}: not the text that was annotated")
        yield record["note"], text, record["mentions"]


def release_terms(path: Path | None) -> frozenset[str]:
    """Give the terms of the release that was annotated with; empty where it is not here."""
    if path is None or not path.exists():
        return frozenset()
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        nodes = json.load(file)["graphs"][0]["nodes"]
    return frozenset(n["id"].rsplit("/", 1)[1].replace("_", ":") for n in nodes if "/HP_" in n["id"])


def as_of(concept: str, release: frozenset[str], parents: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Give the term itself, or the nearest terms above it that the release has."""
    level = [concept]
    while release and level and release.isdisjoint(level):
        level = sorted({above for one in level for above in parents.get(one, ())})
    return tuple(level) or (concept,)


class Scored:
    """What is scored: the phenotypic abnormalities, as of the annotations' release."""

    def __init__(self, bundle: Bundle, release: frozenset[str]) -> None:
        self._parents = parents_of(bundle)
        old = bundle.concepts.filter(pl.col("replaced_by").is_not_null()).select("replaced_by", "id").collect()
        self._former: dict[str, list[str]] = {}
        for new, former in old.sort("id").iter_rows():
            self._former.setdefault(new, []).append(former)
        self._release = release
        self.terms = descendants_of([PHENOTYPE_ROOT], self._parents) - {PHENOTYPE_ROOT}

    def said(self, start: int, end: int, concept: str, flags: list[str]) -> list[Said]:
        if concept not in self.terms:
            return []
        terms = (*as_of(concept, self._release, self._parents), *self._former.get(concept, ()))
        return [Said(start, end, terms, frozenset(flags))]


class Ours:
    """This project, loaded, having read some other notes."""

    def __init__(self, bundle: Bundle, texts: Mapping[str, str], others: Sequence[str]) -> None:
        self._linker = Linker(bundle)
        self._texts = texts
        self._found: dict[str, list[Mention]] = {}
        for text in others:
            self._linker.link(text)

    def read(self) -> float:
        """Link all texts once; CPU seconds."""
        return cpu_seconds(self._read)

    def _read(self) -> None:
        self._found = {note: self._linker.link(text) for note, text in self._texts.items()}

    def answer(self, scored: Scored) -> Answer:
        """Give what the last reading found."""
        return {
            note: [
                one
                for m in found
                for one in scored.said(m.start, m.end, m.concept, [f for f in FLAGS if getattr(m, f)])
            ]
            for note, found in self._found.items()
        }


def hpo_names(bundle: Bundle, terms: set[str]) -> list[list[str]]:
    """Give every name and synonym of the scored terms, one concept a phrase: names first, then exact synonyms."""
    names = bundle.concepts.filter(~pl.col("deprecated")).select(pl.col("id").alias("concept"), text="name", rank=0)
    order = {"exact": 1, "narrow": 2, "related": 3, "broad": 4}
    scope = pl.col("scope").str.to_lowercase().replace_strict(order, default=3, return_dtype=pl.Int32)
    synonyms = bundle.synonyms.select("concept", "text", rank=scope)
    rows = pl.concat([names.with_columns(pl.col("rank").cast(pl.Int32)), synonyms]).collect()
    rows = rows.filter(pl.col("concept").is_in(sorted(terms))).sort("rank", "concept", "text")
    first: dict[str, list[str]] = {}
    for concept, text, _ in rows.iter_rows():
        first.setdefault(text.lower(), [text, concept])
    return list(first.values())


def table(results: Mapping[str, Mapping[str, tuple[float, float, float]]], speeds: list[list[str]]) -> str:
    """Write the scores as one Markdown table, a column a system."""
    systems = list(results)
    lines = ["| | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for name in next(iter(results.values())):
        cells = []
        for system in systems:
            value, low, high = results[system][name]
            cells.append("–" if value != value else f"{value:.3f} ({low:.2f}–{high:.2f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.extend("| " + " | ".join(row) + " |" for row in speeds)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=SETS, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=Path("graph"))
    parser.add_argument("--release", type=Path, help="hp.json[.gz] that was annotated with [DIR/../hpo/hp.json.gz]")
    parser.add_argument("--errors", action="store_true", help="list what went wrong (develop only)")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", type=Path, help="write the scores here too")
    chosen = parser.parse_args()
    if chosen.errors and chosen.half.startswith("unseen"):
        parser.error("the unseen half is measured, never read: --errors is for develop")
    set_quiet(True)
    texts, golds = read_half(chosen.half, chosen.texts)
    bundle = Bundle.open(chosen.bundle)
    scored = Scored(bundle, release_terms(chosen.release or chosen.texts.parent / "hpo" / "hp.json.gz"))
    characters = sum(map(len, texts.values()))
    notes = all_notes(chosen.texts)
    drawn = draw(notes)
    others = [text for note, text in sorted(notes.items()) if note not in drawn][:OTHERS]
    own = Ours(bundle, texts, others)
    first = own.read()
    alone = Timed(first, tuple(quickest(own.read) for _ in range(ROUNDS)))
    answers = {"this project": own.answer(scored)}
    pairs: dict[str, tuple[Timed, Timed]] = {}
    if chosen.errors:
        for note in texts:
            print("\n".join(errors(note, texts[note], golds[note], answers["this project"][note])))
    if not chosen.no_peers:
        names = hpo_names(bundle, scored.terms)
        for system in PEERS:
            try:
                with Peer(system, names, texts, others) as peer:
                    pairs[system] = alternate(own.read, peer.read)
                    found = peer.mentions()
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"{system}: skipped ({error})", file=sys.stderr)
                continue
            answers[system] = {n: [s for m in rows for s in scored.said(*m)] for n, rows in found.items()}  # type: ignore[arg-type]
    alone = Timed(first, (*alone.rounds, *(seconds for own_, _ in pairs.values() for seconds in own_.rounds)))
    speeds = speed_rows(characters, alone, pairs, list(answers))
    results = {
        system: with_intervals([counts(golds[note], answer[note]) for note in texts])
        for system, answer in answers.items()
    }
    total = sum(map(len, golds.values()))
    print(f"{chosen.half}: {len(texts)} notes, {total} mentions, {characters:,} characters\n")
    print(table(results, speeds))
    compiled = cpu_seconds(lambda: compile_names(bundle))
    loaded = cpu_seconds(lambda: load_names(bundle))
    count = len(load_names(bundle)[0])
    print(f"\n{count:,} names: compiled in {compiled:.1f} s, read from the cache in {loaded:.2f} s")
    if chosen.json:
        document = {"half": chosen.half, "scores": results, "speed": speeds, "names": count}
        chosen.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
