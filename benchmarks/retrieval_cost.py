"""What a patient costs: time of work that is repeated."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ehr.cohort import Cohort
from kg.bundle import Bundle
from kg.link import findings_of
from kg.retrieve import Retriever
from kg.types import Finding

BATCH = 250
REPEATS = 5

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


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a patient of several repeats; the least counts, as what else the machine does only adds."""

    walls: Sequence[float]
    cpus: Sequence[float]

    @property
    def wall(self) -> float:
        return min(self.walls)

    @property
    def cpu(self) -> float:
        return min(self.cpus)

    def __str__(self) -> str:
        parts = (f"{min(held):.2f} ({min(held):.2f} to {max(held):.2f})" for held in (self.cpus, self.walls))
        return " | ".join(parts)


def cost(work: Callable[[Retriever], object], made: Callable[[], Retriever], patients: int) -> Cost:
    """Measure work with a retriever, `REPEATS` times; what ``made`` does is not counted."""
    return cost_of([measured(partial(work, made())) for _ in range(REPEATS)], patients)


def cost_of(found: Sequence[tuple[float, float]], patients: int) -> Cost:
    """Turn wall and CPU seconds of repeats into the cost of a patient."""
    return Cost([1000 * wall / patients for wall, _ in found], [1000 * cpu / patients for _, cpu in found])


def patients_of(cohort: Cohort) -> Patients:
    ids = cohort.ids()
    found = findings_of(cohort, ids)
    return [(admission, found.get(admission, []), "all") for admission in ids]


def rows(retriever: Retriever, patients: Patients) -> None:
    """Retrieve as the rows that `kg retrieve` writes."""
    for begin in range(0, len(patients), BATCH):
        retriever.retrieve_table(patients[begin : begin + BATCH])


def objects(retriever: Retriever, patients: Patients) -> None:
    """Retrieve as `PatientSubgraph`s."""
    for begin in range(0, len(patients), BATCH):
        retriever.retrieve_many(patients[begin : begin + BATCH])


def halves(graph: Path, patients: Patients) -> tuple[float, float]:
    """Retrieve from nothing in two processes of their own that begin together; wall and CPU seconds."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    here, there = context.Pipe(duplex=False)
    parts = [context.Process(target=_half, args=(graph, patients[part::2], ready, there)) for part in (0, 1)]
    for one in parts:
        one.start()
    there.close()  # so that a child that fails ends the wait
    found = [here.recv() for _ in parts]
    for one in parts:
        one.join()
    return max(wall for wall, _ in found), sum(cpu for _, cpu in found)


def _half(graph: Path, patients: Patients, ready, pipe) -> None:  # type: ignore[no-untyped-def]
    retriever = Retriever(Bundle.open(graph))
    ready.wait()
    pipe.send(measured(lambda: rows(retriever, patients)))
