"""Speed of the linker beside its peers, in turn: ours, a peer, ours, the peer …, so that both have the same machine.

Each peer is a process of its own that stays loaded (``benchmarks/linking_peers.py``) and reads the texts once whenever
it is asked to; only one side works at a time. All have read other notes before, so that their memories of words are
filled as in the middle of a cohort; the first reading of the texts themselves is told apart from the later ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType

from kg.neo4j_server import default_cache

PEERS = {
    "spaCy PhraseMatcher": ("phrases", "negspacy-1.1.0", "negspacy==1.1.0"),
    "negspaCy 1.1.0": ("negspacy", "negspacy-1.1.0", "negspacy==1.1.0"),
    "medspaCy 1.3.1": ("medspacy", "medspacy-1.3.1", "medspacy==1.3.1"),
}
ROUNDS = 5
SECONDS = 1.5
"""CPU seconds of a side in a round, at least; the quickest reading of all texts is the round's."""


@dataclass(frozen=True, slots=True)
class Timed:
    """CPU seconds of one reading of all texts: the first one, and each round's quickest."""

    first: float
    rounds: tuple[float, ...]


class Peer(AbstractContextManager["Peer"]):
    """A peer in its environment, made where it is missing."""

    def __init__(self, system: str, names: list[list[str]], texts: Mapping[str, str], others: Sequence[str]) -> None:
        """Start and load it.

        Raises:
            OSError, subprocess.CalledProcessError: where it cannot be installed or run.
        """
        which, folder, package = PEERS[system]
        python = default_cache().parent / folder / "bin" / "python"
        if not python.exists():
            venv.create(python.parents[1], with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-q", package], check=True)
        self._folder = tempfile.TemporaryDirectory()
        source, self._target = Path(self._folder.name) / "in.json", Path(self._folder.name) / "out.json"
        source.write_text(json.dumps({"texts": texts, "names": names, "others": others}))
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        env.pop("PYTHONPATH", None)
        script = Path(__file__).with_name("linking_peers.py")
        self._process = subprocess.Popen(
            [python, script, which, source, self._target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            text=True,
        )
        self._ask("load")

    def _ask(self, word: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise subprocess.CalledProcessError(self._process.wait(), self._process.args)
        return line

    def read(self) -> float:
        """Read all texts once; CPU seconds."""
        return float(self._ask("read"))

    def mentions(self) -> dict[str, list[list[object]]]:
        """Give what the last reading found, by note: start, end, concept, flags."""
        self._ask("write")
        found: dict[str, list[list[object]]] = json.loads(self._target.read_text())
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def cpu_seconds(action: Callable[[], object]) -> float:
    """Give the CPU seconds of this process that a call takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def quickest(read: Callable[[], float]) -> float:
    """Give the quickest of as many readings as fill a round."""
    taken = [read()]
    while sum(taken) < SECONDS:
        taken.append(read())
    return min(taken)


def alternate(ours: Callable[[], float], peer: Callable[[], float]) -> tuple[Timed, Timed]:
    """Let both read in turn; their first readings too."""
    first = ours(), peer()
    rounds: tuple[list[float], list[float]] = [], []
    for number in range(ROUNDS):
        print(f"round {number + 1} of {ROUNDS}", end="\r", file=sys.stderr)
        for which, side in enumerate((ours, peer)):
            rounds[which].append(quickest(side))
    return Timed(first[0], tuple(rounds[0])), Timed(first[1], tuple(rounds[1]))


def speed_rows(
    characters: int, alone: Timed, pairs: Mapping[str, tuple[Timed, Timed]], columns: Sequence[str]
) -> list[list[str]]:
    """Give the table's rows on speed, a cell for each column; the first column is this project.

    Args:
        characters: of all texts.
        alone: this project's readings: all rounds.
        pairs: this project and the peer, by peer, as they alternated.
        columns: the systems.
    """
    timed = [alone if n == 0 else pairs[name][1] for n, name in enumerate(columns)]

    def speed(seconds: float) -> str:
        return f"{characters / seconds:,.0f}"

    rows = [["characters a second, best round", *(speed(min(t.rounds)) for t in timed)]]
    rows.append(["slowest to best round", *(f"{speed(max(t.rounds))}–{speed(min(t.rounds))}" for t in timed)])
    rows.append(["first reading of the texts", *(speed(t.first) for t in timed)])
    if len(columns) > 1:
        cells = []
        for name in columns[1:]:
            ratios = [peer / own for own, peer in zip(pairs[name][0].rounds, pairs[name][1].rounds, strict=True)]
            cells.append(f"{median(ratios):.1f} ({min(ratios):.1f}–{max(ratios):.1f})")
        rows.append(["times as fast: median of rounds (least–most)", "–", *cells])
    return rows
