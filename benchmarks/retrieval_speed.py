"""What retrieval costs on a graph of PrimeKG's size, beside a query per patient and networkx."""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ehr.cohort import Cohort, create_cohort
from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from ehr.progress import set_quiet
from kg.bundle import Bundle
from kg.link import findings_of
from kg.retrieve import Retriever, retrieve_cohort
from kg.retrieve.core import _WALKED, make_core
from kg.retrieve.seeds import seeds_of
from kg.retrieve.snapshot import Snapshot, snapshot_of
from kg.retrieve.snapshot_files import load_snapshot
from kg.stores import open_store
from kg.types import Finding

PARTS = ("rate", "store", "networkx", "memory", "edges")
BATCH = 250
ASKED = 20
"""Patients for whom the store and networkx are asked."""

Patients = Sequence[tuple[str, Sequence[Finding], str]]


def _cpu() -> float:
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Give wall and CPU seconds, children's too."""
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - wall, _cpu() - cpu


def patients_of(cohort: Cohort) -> Patients:
    ids = cohort.ids()
    found = findings_of(cohort, ids)
    return [(admission, found.get(admission, []), "all") for admission in ids]


def run(retriever: Retriever, patients: Patients) -> None:
    for begin in range(0, len(patients), BATCH):
        retriever.retrieve_many(patients[begin : begin + BATCH])


def rate(bundle: Bundle, patients: Patients) -> float:
    """Print admissions a second from nothing, in one process and in two; give CPU seconds an admission."""
    made: list[Retriever] = []
    wall, cpu = measured(lambda: made.append(Retriever(bundle)))
    print(f"snapshot checked and mapped, core cut out: {wall:.2f} s ({cpu:.2f} s of CPU)")
    retriever = made[0]
    context = multiprocessing.get_context("fork")
    n = len(patients)
    # First the two processes: they inherit nothing that was walked.
    halves = [context.Process(target=run, args=(retriever, patients[part::2])) for part in (0, 1)]

    def both() -> None:
        for one in halves:
            one.start()
        for one in halves:
            one.join()

    wall, cpu = measured(both)
    print(f"two processes: {n} admissions in {wall:.2f} s, {n / wall:.0f} a second ({n / cpu:.0f} a second of CPU)")
    wall, cpu = measured(lambda: run(retriever, patients))
    print(f"one process: {n} admissions in {wall:.2f} s, {n / wall:.0f} a second ({n / cpu:.0f} a second of CPU)")
    wall, warm = measured(lambda: run(retriever, patients))
    print(f"again, walks known: {n / wall:.0f} a second ({n / warm:.0f} a second of CPU)")
    sizes = [len(s.nodes) for s in retriever.retrieve_many(patients[:BATCH])]
    print(f"nodes a subgraph: mean {np.mean(sizes):.1f}, most {max(sizes)}")
    return cpu / n


def store(bundle: Bundle, patients: Patients, ours: float) -> None:
    """Ask the embedded store for two hops around each patient's findings."""
    core = make_core(load_snapshot(bundle), load_phenotypes().ids)
    asked = [[s.seed.concept for s in seeds_of(findings, mode, core) if s.seed.weight > 0] for _, findings, mode in
             patients[:: max(1, len(patients) // ASKED)][:ASKED]]  # fmt: skip
    walked = "|".join(predicate.relationship for predicate, weight in _WALKED.items() if weight > 0)
    queries = {
        "relations that retrieval walks": f":{walked}",
        "all relations": "",
    }
    with tempfile.TemporaryDirectory() as folder, open_store(f"ladybug:{folder}/g.lbug", read_only=False) as opened:
        wall, cpu = measured(lambda: opened.load(bundle))
        print(f"\nstore loaded in {wall:.0f} s ({cpu:.0f} s of CPU)")
        for title, kinds in queries.items():
            text = (
                f"MATCH (s:Concept)-[{kinds}]-(m:Concept)-[{kinds}]-(n:Concept) WHERE s.id IN $ids "
                "RETURN n.id AS id, count(*) AS ways ORDER BY ways DESC, id LIMIT 64"
            )
            walls, cpus, failed = [], [], 0
            for ids in asked[:: 1 if kinds else 4]:
                begun = measured_query(lambda ids=ids, text=text: opened.query(text, {"ids": ids}, timeout=60))
                failed += begun[2]
                walls.append(begun[0])
                cpus.append(begun[1])
            print(
                f"2 hops, {title}: {np.mean(walls):.3f} s a patient (median {np.median(walls):.3f}), "
                f"{np.mean(cpus):.3f} s of CPU, {failed} of {len(walls)} cut off at 60 s; "
                f"{np.mean(cpus) / ours:.0f} times retrieval by CPU"
            )


def measured_query(work: Callable[[], object]) -> tuple[float, float, int]:
    failed = []

    def careful() -> None:
        try:
            work()
        except InputError:
            failed.append(1)

    return (*measured(careful), len(failed))


def networkx_pagerank(bundle: Bundle, patients: Patients, ours: float) -> None:
    """Ask networkx for personalised PageRank, on the walked part and on the whole graph."""
    import networkx as nx

    snapshot = load_snapshot(bundle)
    core = make_core(snapshot, load_phenotypes().ids)
    walked = core.transposed.T.tocoo()
    parts: dict[str, Callable[[], nx.DiGraph]] = {
        "the walked part": lambda: _graph(walked.row, walked.col, len(core.ids)),
        "the whole graph, both ways": lambda: _graph(
            *(np.concatenate(pair) for pair in _both(snapshot)), len(snapshot)
        ),
    }
    for title, build in parts.items():
        graphs: list[nx.DiGraph] = []
        wall, cpu = measured(lambda graphs=graphs, build=build: graphs.append(build()))
        print(f"\nnetworkx, {title}: {graphs[0].number_of_edges():,} edges built in {wall:.0f} s ({cpu:.0f} s of CPU)")
        chosen = patients[:: len(patients) // 4][: 4 if "whole" not in title else 2]
        taken = []
        for _, findings, mode in chosen:
            starts = [s for s in seeds_of(findings, mode, core) if s.seed.weight > 0]
            at = [core.place[s.seed.concept] for s in starts]
            at = at if "whole" not in title else [int(core.places[one]) for one in at]
            seeds = {place: s.seed.weight for place, s in zip(at, starts, strict=True) if place >= 0}
            taken.append(measured(lambda g=graphs[0], seeds=seeds: nx.pagerank(g, personalization=seeds)))
        wall, cpu = np.mean(taken, axis=0)
        print(f"  pagerank: {wall:.2f} s a patient, {cpu:.2f} s of CPU; {cpu / ours:.0f} times retrieval by CPU")


def _both(snapshot: Snapshot) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    subjects = snapshot.subjects(np.arange(len(snapshot.targets)))
    return (subjects, snapshot.targets), (snapshot.targets, subjects)


def _graph(sources: np.ndarray, targets: np.ndarray, n: int):  # type: ignore[no-untyped-def]
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(zip(sources.tolist(), targets.tolist(), strict=True))
    return graph


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
    print("\n| statements | both directions | from nothing, CPU ms an admission | walks known |\n|---|---|---|---|")
    patients = patients[:500]
    order = np.random.default_rng(0).permutation(len(ids))
    for share in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1):
        some = pl.concat([kept, ids.gather(order[: int(len(ids) * share)])])
        frame = bundle.statements.filter(pl.col("id").is_in(some.implode()))
        snapshot = snapshot_of(bundle.concepts, frame)
        retriever = Retriever(snapshot)
        _, cold = measured(lambda retriever=retriever: run(retriever, patients))
        _, warm = measured(lambda retriever=retriever: run(retriever, patients))
        n, m = len(patients), len(snapshot.targets)
        print(f"| {m:,} | {2 * m:,} | {1000 * cold / n:.2f} | {1000 * warm / n:.2f} |")


def speed(graph: Path, cohort: Path, parts: Sequence[str]) -> None:
    """Print the parts that were asked for, all in one run."""
    bundle, opened = Bundle.open(graph), Cohort.open(cohort)
    patients = patients_of(opened)
    snapshot = load_snapshot(bundle)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(snapshot):,} concepts, "
          f"{len(snapshot.targets):,} statements")  # fmt: skip
    ours = rate(bundle, patients)
    if "store" in parts:
        store(bundle, patients, ours)
    if "networkx" in parts:
        networkx_pagerank(bundle, patients, ours)
    if "memory" in parts:
        memory(bundle, opened)
    if "edges" in parts:
        edges(bundle, patients)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")
