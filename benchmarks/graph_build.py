"""What building and loading the built-in graph takes: CPU seconds, wall seconds and peak memory, best of three.

    python benchmarks/graph_build.py

Every run is a process of its own, so that peaks do not mix; ratios to the slowest step are printed beside the seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from ehr.progress import set_quiet
from kg.build import build
from kg.bundle import Bundle
from kg.stores import open_store
set_quiet(True)
step, folder = sys.argv[1], Path(sys.argv[2])
wall, cpu = time.perf_counter(), time.process_time()
if step in ("build", "build again"):
    build(None, folder)
elif step == "load embedded store":
    with open_store(f"ladybug:{folder / 'graph.lbug'}", read_only=False) as store:
        store.load(Bundle.open(folder), force=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak]))
"""
STEPS = ("build", "build again", "load embedded store")


def main() -> None:
    best: dict[str, list[float]] = {}
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                done = subprocess.run(
                    [sys.executable, "-c", MEASURE, step, str(Path(folder) / "graph")],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                found = json.loads(done.stdout)
                best[step] = min(best.get(step, found), found, key=lambda one: one[1])
    slowest = max(cpu for _, cpu, _ in best.values())
    print(f"{'step':22} {'wall s':>8} {'CPU s':>8} {'of slowest':>11} {'peak MiB':>9}")
    for step, (wall, cpu, peak) in best.items():
        print(f"{step:22} {wall:8.2f} {cpu:8.2f} {cpu / slowest:11.3f} {peak:9.0f}")


if __name__ == "__main__":
    main()
