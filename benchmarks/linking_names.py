"""How long the names of a large vocabulary take to be compiled, and to be read from the cache.

    python benchmarks/linking_names.py [--concepts 20000] [--names 100000] [--runs 3]

The concepts are invented drugs with names of one to five invented words (seed 7), so that nothing of them is cut by a
rule for phenotypes. Compiled is what `kg link` does on its first call for a bundle; from the cache is what every later
call does: the names alone, with the automaton and all else that a first text needs, and with the spelling tables, which
are made when the first unknown word is met. CPU seconds of this process, best of the runs, and their spread.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kg.bundle import Bundle
from kg.link.match import Matcher
from kg.link.meanings import load_apart
from kg.link.names import load_names
from kg.link.words import cut
from kg.vocabulary import Category
from tests.kg.tables import write_tables

SYLLABLES = ("ka", "lo", "mer", "ti", "zan", "pho", "ril", "ox", "dex", "vi", "nu", "cor", "tal", "ben", "sy", "gra")


def make_bundle(path: Path, concepts: int, names: int) -> Bundle:
    """Write a bundle of invented drugs, the names shared out evenly."""
    random = np.random.default_rng(7)
    words = np.array(["".join(random.choice(SYLLABLES, 3 + n % 3)) for n in range(concepts)])
    texts = [" ".join(random.choice(words, 1 + n % 5)) + f" {words[n % concepts]}" for n in range(names)]
    rows = [{"id": f"RXNORM:{n}", "category": Category.DRUG.value, "name": texts[n]} for n in range(concepts)]
    more = [{"concept": f"RXNORM:{n % concepts}", "text": texts[n]} for n in range(concepts, names)]
    write_tables(path, {"concepts": rows, "synonyms": more}, hash_=f"names-{concepts}-{names}")
    return Bundle.open(path)


def seconds(act: Callable[[], object]) -> float:
    """Give the CPU seconds of one call."""
    before = time.process_time()
    act()
    return time.process_time() - before


def matcher_of(bundle: Bundle) -> Matcher:
    """Make the matcher as `kg link` does, from the cache."""
    names, known = load_names(bundle)
    return Matcher(names, known, load_apart(bundle, names))


def read_unknown(matcher: Matcher) -> None:
    """Read an unknown word of every first letter, so that all spelling tables are made."""
    matcher.find(cut(" ".join(f"{letter}qqqxq" for letter in ascii_lowercase)))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concepts", type=int, default=20_000)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_bundle(Path(folder) / "graph", given.concepts, given.names)
        steps: dict[str, list[float]] = {}
        for _ in range(given.runs):
            shutil.rmtree(Path(bundle.path) / "index", ignore_errors=True)
            for name, act in (
                ("compiled", lambda: load_apart(bundle, load_names(bundle)[0])),
                ("names read from the cache", lambda: load_names(bundle)),
                ("with the automaton", lambda: matcher_of(bundle).find(cut("no fever"))),
                ("with the spelling tables", lambda: read_unknown(matcher_of(bundle))),
            ):
                gc.collect()
                steps.setdefault(name, []).append(seconds(act))
        count = len(load_names(bundle)[0])
    print(f"{given.concepts:,} concepts, {given.names:,} names given, {count:,} phrases searched for")
    for name, taken in steps.items():
        print(f"{name}: {min(taken):.2f} s (to {max(taken):.2f})")


if __name__ == "__main__":
    main()
