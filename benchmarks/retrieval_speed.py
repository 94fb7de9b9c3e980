"""What retrieval costs on a graph of PrimeKG's size, beside a query per patient and networkx."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from retrieval_cost import BATCH, REPEATS, Cost, Patients, cost, cost_of, halves, measured, objects, patients_of, rows
from retrieval_size import edges, memory

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.bundle import Bundle
from kg.retrieve import Retriever
from kg.retrieve.core import _WALKED, make_core
from kg.retrieve.seeds import seeds_of
from kg.retrieve.snapshot import Snapshot
from kg.retrieve.snapshot_files import load_snapshot
from kg.stores import GraphStore, open_store

PARTS = ("rate", "store", "networkx", "memory", "edges")
ASKED = 200
"""Patients for whom the store is asked, `QUERIES` times each."""
QUERIES = 3
NETWORKX = 4


def rate(bundle: Bundle, snapshot: Snapshot, patients: Patients) -> None:
    """Print what an admission costs from nothing (no walk, no path known) and once everything is known."""
    wall, cpu = measured(lambda: Retriever(snapshot))
    print(f"walked part cut out of the snapshot: {wall:.2f} s ({cpu:.2f} s of CPU), not counted below")
    known = Retriever(snapshot)
    rows(known, patients)
    objects(known, patients)
    both = [(admission, findings, mode) for admission, findings, _ in patients for mode in ("all", "labs")]
    print(f"{len(patients)} admissions, best and spread of {REPEATS} repeats")
    print("| run | CPU ms an admission | wall ms an admission | admissions a second |\n|---|---|---|---|")
    kinds: dict[str, tuple[Callable[[Retriever, Patients], object], Patients, bool]] = {
        "rows, from nothing": (rows, patients, True),
        "rows, walks known": (rows, patients, False),
        "objects, from nothing": (objects, patients, True),
        "objects, walks known": (objects, patients, False),
        "rows of both modes, from nothing": (rows, both, True),
    }
    for title, (work, which, fresh) in kinds.items():
        made = (lambda: Retriever(snapshot)) if fresh else (lambda: known)
        found = cost(lambda retriever, work=work, which=which: work(retriever, which), made, len(patients))
        print(f"| {title} | {found} | {1000 / found.wall:,.0f} |")
    found = cost_of([halves(bundle.path, patients) for _ in range(REPEATS)], len(patients))
    print(f"| rows, from nothing, two processes | {found} | {1000 / found.wall:,.0f} |")
    sizes = [len(s.nodes) for s in known.retrieve_many(patients[:BATCH])]
    print(f"nodes a subgraph: mean {np.mean(sizes):.1f}, most {max(sizes)}")


def store(bundle: Bundle, snapshot: Snapshot, patients: Patients) -> None:
    """Ask the embedded store for two hops around each patient's findings, and retrieve for the same patients."""
    core = make_core(snapshot, load_phenotypes().ids)
    chosen = patients[:: max(1, len(patients) // ASKED)][:ASKED]
    walked = "|".join(predicate.relationship for predicate, weight in _WALKED.items() if weight > 0)
    kept = ("relations that retrieval walks", f":{walked}", chosen), ("all relations", "", chosen[::30])
    ours = {
        f"all {len(patients)}, from nothing": cost(
            lambda r: rows(r, patients), lambda: Retriever(snapshot), len(patients)
        ),
        "the same, from nothing": cost(lambda r: rows(r, chosen), lambda: Retriever(snapshot), len(chosen)),
    }
    known = Retriever(snapshot)
    rows(known, patients)
    ours["the same, walks known"] = cost(lambda r: rows(r, chosen), lambda: known, len(chosen))
    with tempfile.TemporaryDirectory() as folder, open_store(f"ladybug:{folder}/g.lbug", read_only=False) as opened:
        wall, cpu = measured(lambda: opened.load(bundle))
        print(f"\nstore loaded in {wall:.0f} s ({cpu:.0f} s of CPU)")
        print(
            "| patients | run | CPU ms a patient | wall ms a patient | CPU, wall / retrieval |\n|---|---|---|---|---|"
        )
        for title, held in ours.items():
            print(f"| {title} | retrieval, rows | {held} | |")
        for title, kinds, asked in kept:
            ids = [
                [s.seed.concept for s in seeds_of(findings, mode, core) if s.seed.weight > 0]
                for _, findings, mode in asked
            ]
            text = (
                f"MATCH (s:Concept)-[{kinds}]-(m:Concept)-[{kinds}]-(n:Concept) WHERE s.id IN $ids "
                "RETURN n.id AS id, count(*) AS ways ORDER BY ways DESC, id LIMIT 64"
            )
            found, failed = queried(opened, text, ids)
            times = "; ".join(
                f"{found.cpu / o.cpu:.0f}, {found.wall / o.wall:.0f} ({name})" for name, o in ours.items()
            )
            print(f"| {len(asked)} | Cypher, 2 hops, {title} | {found} | {times} |", flush=True)
            if failed:
                print(f"{failed} queries were cut off at 60 s")


def queried(opened: GraphStore, text: str, patients: Sequence[Sequence[str]]) -> tuple[Cost, int]:
    """Ask for all patients, `QUERIES` times over; give the cost, and how many queries were cut off."""
    walls, cpus, failed = [], [], 0
    for _ in range(QUERIES):
        begun = [measured_query(lambda ids=ids: opened.query(text, {"ids": ids}, timeout=60)) for ids in patients]
        failed += sum(cut for _, _, cut in begun)
        walls.append(1000 * float(np.mean([wall for wall, _, _ in begun])))
        cpus.append(1000 * float(np.mean([cpu for _, cpu, _ in begun])))
    return Cost(walls, cpus), failed


def measured_query(work: Callable[[], object]) -> tuple[float, float, int]:
    failed = []

    def careful() -> None:
        try:
            work()
        except InputError:
            failed.append(1)

    return (*measured(careful), len(failed))


def networkx_pagerank(snapshot: Snapshot, patients: Patients) -> None:
    """Ask networkx for personalised PageRank, on the walked part and on the whole graph."""
    import networkx as nx

    ours = cost(lambda r: rows(r, patients), lambda: Retriever(snapshot), len(patients)).cpu / 1000
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
        chosen = patients[:: len(patients) // NETWORKX][: NETWORKX if "whole" not in title else 2]
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


def speed(graph: Path, cohort: Path, parts: Sequence[str]) -> None:
    """Print the parts that were asked for, all in one run."""
    bundle, opened = Bundle.open(graph), Cohort.open(cohort)
    patients = patients_of(opened)
    snapshot = load_snapshot(bundle)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(snapshot):,} concepts, "
          f"{len(snapshot.targets):,} statements")  # fmt: skip
    if "rate" in parts:
        rate(bundle, snapshot, patients)
    if "store" in parts:
        store(bundle, snapshot, patients)
    if "networkx" in parts:
        networkx_pagerank(snapshot, patients)
    if "memory" in parts:
        memory(bundle, opened)
    if "edges" in parts:
        edges(bundle, patients)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")
