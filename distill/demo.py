"""The main job end to end, through the same functions as the separate commands."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from distill.bedside import diagnose_directory, report_admission
from distill.config import RunConfig
from distill.crossval import cross_validate
from distill.jobs import configure, evaluate_directory, stage_rows
from distill.overlap import overlap_of, simulate_with_graph
from distill.recorded import run_salt, store_recorded
from distill.run import Run, run
from distill.teachers import teach
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.files import read_json, write_json
from ehr.ingest import ingest, open_hospital
from ehr.progress import say
from ehr.simulator.hospital import LEAST_ADMISSIONS
from kg.bundle import Bundle
from kg.link import link_cohort
from kg.load import build_and_load
from kg.queries import browser_text
from kg.retrieve import retrieve_cohort
from kg.stores import open_store, pseudonym

Row = dict[str, object]
WRITTEN = 50
"""Diagnoses of this many held-out admissions go into the stores."""


@dataclass
class Clock:
    """What each step took, for `timings.json`; resumed steps add to what they took before."""

    path: Path
    steps: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def step(self, number: int, title: str) -> Iterator[None]:
        """Announce a step and record its wall and CPU seconds."""
        say(f"\n[{number}/7] {title}")
        wall, cpu = time.monotonic(), _cpu_seconds()
        try:
            yield
        finally:
            took = self.steps.setdefault(f"{number} {title}", {"seconds": 0.0, "cpu_seconds": 0.0})
            took["seconds"] = round(took["seconds"] + time.monotonic() - wall, 1)
            took["cpu_seconds"] = round(took["cpu_seconds"] + _cpu_seconds() - cpu, 1)
            write_json(self.path, dict(self.steps))

    def total(self, name: str) -> float:
        """Sum over all steps."""
        return sum(took[name] for took in self.steps.values())


def _cpu_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def _clock(out: Path) -> Clock:
    path = out / "timings.json"
    steps = read_json(path) if path.exists() else {}
    known = {
        name: {key: float(str(value)) for key, value in took.items()}
        for name, took in steps.items()
        if isinstance(took, dict)
    }
    return Clock(path, known)


def run_demo(
    out: Path,
    *,
    admissions: int = 2000,
    mimic_iv: Path | None = None,
    init: Path | None = None,
    store: str | None = None,
    settings: Mapping[str, object] | None = None,
    seed: int = 7,
) -> dict[str, list[Row]]:
    """Build the graph, get patients, link, retrieve, teach, distil, evaluate, diagnose one admission.

    Args:
        out: directory for everything; called again, finished steps are not repeated.
        admissions: simulated admissions, where no directory is given.
        mimic_iv: a MIMIC-IV directory; then five-fold cross-validation by patient takes the place of the splits.
        init: with ``mimic_iv``, a run (such as that of the simulated demo) whose weights every fold starts from.
        store: a further store that graph and diagnoses are put into.
        settings: fields of the configuration that replace those of the preset ``demo`` (``folds`` with ``mimic_iv``).
        seed: of simulation, training and bootstrap.

    Returns:
        By title: what the stages took, and the table of results, one row an arm and split.

    Raises:
        InputError: before anything is written, where the directory is no MIMIC-IV, the store does not answer or too few
            admissions are asked for; else see the steps' own functions.
    """
    _check(admissions, mimic_iv, init, store)
    stores = [f"ladybug:{out / 'graph' / 'graph.lbug'}", *([store] if store else [])]
    out.mkdir(parents=True, exist_ok=True)
    clock = _clock(out)
    with clock.step(1, "knowledge graph"):
        report = build_and_load(None, out / "graph", stores)
        for line in _short(report.rows()):
            say(line)
    bundle = Bundle.open(out / "graph")
    cohort = _patients(out, clock, admissions=admissions, mimic_iv=mimic_iv, seed=seed)
    with clock.step(3, "findings and subgraphs"):
        link_cohort(cohort, bundle)
        retrieve_cohort(cohort, bundle, seed=seed)
    with clock.step(4, "rationales of the offline teacher"):
        teach(cohort, bundle, teacher="graph", seed=seed)
    config = configure("demo" if mimic_iv is None else "folds", settings or {}, seed=seed)
    if mimic_iv is None:
        rows, trained = _train(out, clock, cohort, bundle, config, seed)
    else:
        rows, trained = _folds(out, clock, cohort, bundle, config, init, seed)
    with clock.step(7, "one diagnosis, its evidence, its report"):
        chosen, html = _diagnose(out, trained, cohort, stores)
    _goodbye(out, trained, chosen, html, stores, clock)
    stages = (
        {"stages": stage_rows(trained)} if trained.fold is None else {"stages of the first fold": stage_rows(trained)}
    )
    return {**stages, "held-out patients, with 95 % bootstrap intervals by patient": rows}


def _check(admissions: int, mimic_iv: Path | None, init: Path | None, store: str | None) -> None:
    """Find out before anything is written what would fail much later."""
    if mimic_iv is None and admissions < LEAST_ADMISSIONS:
        raise InputError(f"{admissions} admissions are too few", remedy=f"--admissions {LEAST_ADMISSIONS} or more")
    if mimic_iv is not None:
        open_hospital(mimic_iv, "mimic-iv")
    if init is not None:
        Run.open(init)
    if store:
        open_store(store, read_only=False).close()


def _short(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Give the build's table in lines: by source, concepts by category and statements by predicate."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if isinstance(row.get("count"), int):
            kind = str(row["kind"]).split(":")[-1]
            found.setdefault((str(row["source"]), str(row["what"])), []).append(f"{row['count']:,} {kind}")
    return [f"  {source:11}{what:11}" + ", ".join(kinds) for (source, what), kinds in found.items()]


def _patients(out: Path, clock: Clock, *, admissions: int, mimic_iv: Path | None, seed: int) -> Cohort:
    with clock.step(2, "patients"):
        if mimic_iv is not None:
            return ingest(mimic_iv, out / "cohort", layout="mimic-iv", seed=seed)
        simulate_with_graph(out / "hospital", admissions=admissions, seed=seed, graph=out / "graph")
        return ingest(out / "hospital", out / "cohort", layout="mimic-iv", seed=seed)


def _train(
    out: Path, clock: Clock, cohort: Cohort, bundle: Bundle, config: RunConfig, seed: int
) -> tuple[list[Row], Run]:
    with clock.step(5, "distillation in three stages"):
        trained = run(cohort, bundle, out / "run", config)
    with clock.step(6, "evaluation on held-out patients"):
        rows = evaluate_directory(out / "run", cohort=cohort.path, bundle=bundle.path, seed=seed)
        write_json(out / "overlap.json", overlap_of(bundle).as_dict())
    return rows, trained


def _folds(
    out: Path, clock: Clock, cohort: Cohort, bundle: Bundle, config: RunConfig, init: Path | None, seed: int
) -> tuple[list[Row], Run]:
    with clock.step(5, "distillation and evaluation in five folds"):
        table = cross_validate(cohort, bundle, out / "run", config, init=init, seed=seed)
    return table.rows(), Run.open(out / "run" / "fold0")


def _diagnose(out: Path, trained: Run, cohort: Cohort, stores: Sequence[str]) -> tuple[str, Path]:
    """Diagnose held-out admissions into every store, and report the first that has three diagnoses or more.

    The choice looks at the number of true labels, never at whether the model was right.
    """
    held_out = sorted(trained.split_ids(cohort)["test"])
    people = cohort.table("admissions")
    labels = dict(zip(people["admission_id"].to_list(), people["labels"].to_list(), strict=True))
    chosen = next((one for one in held_out if len(labels[one]) >= 3), held_out[0])
    written = sorted({chosen, *held_out[:WRITTEN]})
    diagnose_directory(trained.path, admissions=written, cohort=cohort.path, store=stores[0], write=True)
    for url in stores[1:]:
        with open_store(url, read_only=False) as store:
            store_recorded(trained, store)
    html = out / "report.html"
    report_admission(trained.path, chosen, html, cohort=cohort.path, store=stores[-1])
    return chosen, html


def _goodbye(out: Path, trained: Run, chosen: str, html: Path, stores: Sequence[str], clock: Clock) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    say(
        f"\n{clock.total('seconds') / 60:.1f} minutes, {clock.total('cpu_seconds') / 60:.1f} minutes of CPU, "
        f"{peak:.1f} GiB at most\n"
    )
    results = (trained.path if trained.fold is None else trained.path.parent) / "results.html"
    for what, where in (("report", html), ("results", results), ("graph", stores[0]), ("run", trained.path)):
        say(f"{what:8} {where}")
    say("\nnext:")
    say(f"  distill diagnose {trained.path} --admission {chosen} --store {stores[0]}")
    say(f"  kg show CCS:122 --store {stores[0]}")
    say("  kg evidence")
    if len(stores) > 1:
        host = urlsplit(stores[1]).hostname
        query = browser_text("written_diagnosis", {"admission": pseudonym(chosen, run_salt(trained))})
        say(f"\nNeo4j Browser: http://{host}:7474/browser/ (unless the server has another HTTP port); a first query:")
        say(query)
