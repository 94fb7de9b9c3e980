"""A graph of PrimeKG's size, from its file to a store that can be queried: time and memory beside a bare load.

    python benchmarks/kg_build.py                    # 8.1 M directed edges, best of 3
    python benchmarks/kg_build.py --scaling          # 1, 2, 4 and 8 M edges, best of 3
    python benchmarks/kg_build.py --edges 1000000 --runs 1

`build` is ``kg build --source primekg:kg.csv --store ladybug:…`` as a user runs it: read, merge, check, report, write
the bundle, load the store. `copy` is the least that any loader into that store has to do: declare the same tables and
``COPY FROM`` the Parquet files that the build ended with, without any reading, merging or checking. The two run in
turn, each as a process of its own; seconds are wall-clock and CPU (user and system), the peak is the process's largest
resident set. The file is made by ``benchmarks/primekg_like.py`` (random, PrimeKG's layout and numbers).

The other questions about building and loading have files of their own: ``obo_reading.py`` (fastobo, pronto),
``neo4j_load.py`` (a hand-tuned loop and online loaders over Bolt), ``neo4j_admin.py`` (the import tool, BioCypher).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

COPY = """
import sys, tempfile
from pathlib import Path
import ladybug
from kg.bundle import Bundle
from kg.stores.ladybug_store import schema
from kg.stores.tables import GraphTables
bundle, rows, target = Bundle.open(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
database = ladybug.Database(target, max_db_size=1 << 38)
connection = ladybug.Connection(database)
for statement in schema():
    connection.execute(statement)
tables = {"Concept": rows}
for file in bundle.files("statements"):
    tables[file.stem] = file
tables["Evidence"] = bundle.files("evidence")[0]
for name, file in tables.items():
    connection.execute(f"COPY {name} FROM '{file}'")
connection.close()
database.close()
"""

CONCEPTS = """
import sys
from pathlib import Path
from kg.bundle import Bundle
from kg.stores.tables import GraphTables
GraphTables(Bundle.open(Path(sys.argv[1]))).write_concepts(Path(sys.argv[2]))
"""

BUILD = "import cli; cli.kg_main()"


@dataclass(frozen=True)
class Run:
    """One finished process."""

    wall: float
    cpu: float
    peak: float


def run(code: str, *arguments: str) -> Run:
    """Run Python code in a process of its own and measure it."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(said.decode()[-2000:])
    return Run(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(edges: int, runs: int, folder: Path) -> dict[str, object]:
    """Build and copy in turn; gives the best of each and the ratios pair by pair."""
    from benchmarks.primekg_like import write_primekg_like

    source, graph, rows, target = folder / "kg.csv", folder / "graph", folder / "concepts.parquet", folder / "bare.lbug"
    write_primekg_like(source, edges, 1)
    found: list[tuple[Run, Run]] = []
    for _ in range(runs):
        shutil.rmtree(graph, ignore_errors=True)
        built = run(BUILD, "build", "--source", f"primekg:{source}", "--bundle", str(graph), "--quiet")
        run(CONCEPTS, str(graph), str(rows))
        for left in folder.glob("bare.lbug*"):
            left.unlink()
        found.append((built, run(COPY, str(graph), str(rows), str(target))))
    again = min(
        run(BUILD, "build", "--source", f"primekg:{source}", "--bundle", str(graph), "--quiet").wall for _ in range(2)
    )
    tables = json.loads((graph / "manifest.json").read_text())["tables"]
    shutil.rmtree(graph)
    source.unlink()
    builds, copies = zip(*found, strict=True)
    return {
        "edges": edges,
        "concepts": tables["concepts"]["rows"],
        "statements": tables["statements"]["rows"],
        "build s": min(one.wall for one in builds),
        "build CPU s": min(one.cpu for one in builds),
        "build peak MiB": max(one.peak for one in builds),
        "copy s": min(one.wall for one in copies),
        "copy CPU s": min(one.cpu for one in copies),
        "copy peak MiB": max(one.peak for one in copies),
        "ratio": min(one.wall for one in builds) / min(one.wall for one in copies),
        "ratio of pairs": " ".join(f"{a.wall / b.wall:.2f}" for a, b in found),
        "ratio CPU": min(one.cpu for one in builds) / min(one.cpu for one in copies),
        "again s": again,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=8_100_498)
    parser.add_argument("--scaling", action="store_true", help="1, 2, 4 and 8 M edges")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    sizes = [1_000_000, 2_000_000, 4_000_000, 8_000_000] if given.scaling else [given.edges]
    for edges in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for name, value in measure(edges, given.runs, Path(folder)).items():
                print(f"{name:16} {value:.2f}" if isinstance(value, float) else f"{name:16} {value}")
        print(flush=True)


if __name__ == "__main__":
    main()
