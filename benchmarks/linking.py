"""How well and how fast text is linked to concepts, on notes annotated by hand, beside what others offer.

    python -m benchmarks.linking --half develop|unseen --texts DIR [--bundle graph/] [--errors] [--no-peers]

``DIR`` holds ACI-Bench and MTS-Dialog (see ``benchmarks/linking_notes.py``). Scores: mentions (a span that overlaps an
annotated one, one to one), terms (one of the accepted ones), and each context flag among the mentions found; 95 %
intervals by resampling notes. Only HPO's phenotypic abnormalities are scored, as only they are annotated. A term newer
than the annotations' release counts as its nearest parents of that release (where ``--release``, OBO Graphs, is there),
and a merged one as each of its parts. Speed is characters a CPU second of one core, everything loaded. spaCy's
PhraseMatcher with every HPO name and synonym, negspaCy and medspaCy run in virtual environments of their own.
``--errors`` lists what went wrong, but never for ``unseen``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from benchmarks.linking_notes import SETS, all_notes
from benchmarks.linking_scores import FLAGS, Gold, Said, counts, errors, with_intervals
from ehr.progress import set_quiet
from kg.bundle import Bundle
from kg.link import Linker
from kg.link.names import PHENOTYPE_ROOT, compile_names, descendants_of, load_names, parents_of
from kg.neo4j_server import default_cache

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "linking"
PEERS = {
    "spaCy PhraseMatcher": ("phrases", "negspacy-1.1.0", "negspacy==1.1.0"),
    "negspaCy 1.1.0": ("negspacy", "negspacy-1.1.0", "negspacy==1.1.0"),
    "medspaCy 1.3.1": ("medspacy", "medspacy-1.3.1", "medspacy==1.3.1"),
}
REPEATS = 5
Answer = dict[str, list[Said]]


def read_half(half: str, texts: Path) -> tuple[dict[str, str], dict[str, list[Gold]]]:
    """Give the texts and annotations of one half; a text that is not the annotated one stops."""
    notes = all_notes(texts)
    found: dict[str, str] = {}
    golds: dict[str, list[Gold]] = {}
    for line in (FOLDER / f"{half}.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        text = notes[record["note"]]
        if hashlib.sha256(text.encode()).hexdigest() != record["sha256"]:
            sys.exit(f"{record['note']}: not the text that was annotated")
        found[record["note"]] = text
        golds[record["note"]] = [
            Gold(m["start"], m["end"], tuple(m["concepts"]), frozenset(m["flags"])) for m in record["mentions"]
        ]
    return found, golds


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


def ours(bundle: Bundle, texts: Mapping[str, str], scored: Scored) -> tuple[Answer, float]:
    """Link with this project; the best of several repeats is its speed, its word memory filled as in a cohort."""
    linker = Linker(bundle)
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        mentions = {note: linker.link(text) for note, text in texts.items()}
        best = min(best, time.process_time() - began)
    answer = {
        note: [
            one for m in found for one in scored.said(m.start, m.end, m.concept, [f for f in FLAGS if getattr(m, f)])
        ]
        for note, found in mentions.items()
    }
    return answer, best


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


def peer(which: str, folder: str, package: str, names: list[list[str]], texts: Mapping[str, str]) -> dict[str, object]:
    """Run a peer in its environment, made where it is missing; an error where it cannot be installed."""
    python = default_cache().parent / folder / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", package], check=True)
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.json", Path(name) / "out.json"
        source.write_text(json.dumps({"texts": texts, "names": names}))
        script = Path(__file__).with_name("linking_peers.py")
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        env.pop("PYTHONPATH", None)
        subprocess.run([python, script, which, source, target], check=True, stderr=subprocess.DEVNULL, env=env)
        result: dict[str, object] = json.loads(target.read_text())
    return result


def table(results: Mapping[str, Mapping[str, tuple[float, float, float]]], speeds: Mapping[str, float]) -> str:
    """Write the scores as one Markdown table, a column a system."""
    systems = list(results)
    lines = ["| | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for name in next(iter(results.values())):
        cells = []
        for system in systems:
            value, low, high = results[system][name]
            cells.append("–" if value != value else f"{value:.3f} ({low:.2f}–{high:.2f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("| characters a second | " + " | ".join(f"{speeds[s]:,.0f}" for s in systems) + " |")
    return "\n".join(lines)


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


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
    answers: dict[str, Answer] = {}
    speeds: dict[str, float] = {}
    answers["this project"], seconds = ours(bundle, texts, scored)
    speeds["this project"] = characters / seconds
    if chosen.errors:
        for note in texts:
            print("\n".join(errors(note, texts[note], golds[note], answers["this project"][note])))
    if not chosen.no_peers:
        names = hpo_names(bundle, scored.terms)
        for system, (which, folder, package) in PEERS.items():
            try:
                result = peer(which, folder, package, names, texts)
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"{system}: skipped ({error})", file=sys.stderr)
                continue
            mentions: dict[str, list[list[object]]] = result["mentions"]  # type: ignore[assignment]
            answers[system] = {n: [s for m in found for s in scored.said(*m)] for n, found in mentions.items()}  # type: ignore[arg-type]
            speeds[system] = characters / float(str(result["seconds"]))
    results = {
        system: with_intervals([counts(golds[note], answer[note]) for note in texts])
        for system, answer in answers.items()
    }
    total = sum(map(len, golds.values()))
    print(f"{chosen.half}: {len(texts)} notes, {total} mentions, {characters:,} characters\n")
    print(table(results, speeds))
    compiled = timed(lambda: compile_names(bundle))
    loaded = timed(lambda: load_names(bundle))
    count = len(load_names(bundle)[0])
    print(f"\n{count:,} names: compiled in {compiled:.1f} s, read from the cache in {loaded:.2f} s")
    if chosen.json:
        document = {"half": chosen.half, "scores": results, "characters_per_second": speeds, "names": count}
        chosen.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
