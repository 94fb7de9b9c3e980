"""Memory of retrieval over the number of admissions, and its time over the size of the graph."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from retrieval_cost import Patients, cost, rows

from ehr.cohort import Cohort, create_cohort
from ehr.progress import set_quiet
from kg.bundle import Bundle
from kg.retrieve import Retriever, retrieve_cohort
from kg.retrieve.snapshot import snapshot_of
from kg.retrieve.snapshot_files import load_snapshot


def _status(name: str) -> float:
    """Give a field of this process's status in MB."""
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


def _memory_child(graph: Path, cohort: Path, pipe) -> None:  # type: ignore[no-untyped-def]
    set_quiet(True)
    before = _status("VmRSS")
    retrieve_cohort(Cohort.open(cohort), Bundle.open(graph))
    pipe.send((before, _status("VmHWM")))


def memory(bundle: Bundle, cohort: Cohort) -> None:
    """Retrieve and write cohorts of growing size, each in a process of its own, and tell the most memory it had."""
    size = load_snapshot(bundle).nbytes / 1e6
    print(f"\nsnapshot's own size {size:.0f} MB")
    print("| admissions | after imports | most | above imports | of the snapshot's size |\n|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for copies in (0.125, 0.5, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            larger = _copied(cohort, Path(folder), copies)
            here, there = context.Pipe(duplex=False)
            child = context.Process(target=_memory_child, args=(bundle.path, larger.path, there))
            child.start()
            there.close()  # so that a child that fails ends the wait
            before, most = here.recv()
            child.join()
            print(
                f"| {len(larger.ids()):,} | {before:.0f} MB | {most:.0f} MB | {most - before:.0f} MB | "
                f"{(most - before) / size:.2f} |"
            )


def _copied(cohort: Cohort, folder: Path, copies: float) -> Cohort:
    """Repeat a cohort's admissions and findings under new ids."""
    made = create_cohort(folder, {"source": "benchmark"})
    for name in ("admissions", "findings"):
        frame = cohort.table(name)
        if copies < 1:
            ids = cohort.ids()[: int(len(cohort.ids()) * copies)]
            frame = frame.filter(pl.col("admission_id").is_in(ids))
        parts = [frame.with_columns(pl.col("admission_id") + f"-{copy}") for copy in range(max(1, int(copies)))]
        made.write_table(name, pl.concat(parts).sort("admission_id", maintain_order=True), f"{name}{copies}")
    return made


def edges(bundle: Bundle, patients: Patients) -> None:
    """Take parts of what came from the large source, and tell what retrieval costs."""
    own = pl.col("sources").list.eval(pl.element() != "kg").list.any()
    ids = bundle.statements.filter(~own).select("id").collect()["id"]
    kept = bundle.statements.filter(own).select("id").collect()["id"]
    print("\n| statements | both directions | from nothing, CPU ms | wall ms | walks known, CPU ms | wall ms |")
    print("|---|---|---|---|---|---|")
    patients = patients[:500]
    order = np.random.default_rng(0).permutation(len(ids))
    for share in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1):
        some = pl.concat([kept, ids.gather(order[: int(len(ids) * share)])])
        frame = bundle.statements.filter(pl.col("id").is_in(some.implode()))
        snapshot = snapshot_of(bundle.concepts, frame)
        cold = cost(lambda r: rows(r, patients), lambda snapshot=snapshot: Retriever(snapshot), len(patients))
        known = Retriever(snapshot)
        rows(known, patients)
        warm = cost(lambda r: rows(r, patients), lambda known=known: known, len(patients))
        m = len(snapshot.targets)
        print(f"| {m:,} | {2 * m:,} | {cold} | {warm} |")
