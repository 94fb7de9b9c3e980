"""What ``distill run`` and ``distill evaluate`` do with directories: open, call, give rows to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.arms import baseline_arms, model_arms, text_metrics
from distill.config import RunConfig, StageConfig, preset
from distill.evaluate import TEST_SPLITS, compare, truth_of
from distill.report import write_results
from distill.run import Run, run
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.files import write_json
from ehr.progress import bar, say
from kg.bundle import Bundle

Row = dict[str, object]


def configure(name: str, settings: Mapping[str, object], **fixed: object) -> RunConfig:
    """Give a preset with some fields changed; ``stage3.steps`` reaches into a stage.

    Raises:
        InputError: for an unknown preset or field.
    """
    values: dict[str, object] = dict(preset(name).as_dict())
    for key, value in {**settings, **fixed}.items():
        stage, dot, field = key.partition(".")
        part = values.get(stage)
        if dot and isinstance(part, dict) and field in StageConfig.__slots__:
            values[stage] = {**part, field: value}
        elif dot:
            raise InputError(f"unknown setting {key!r}", where="--set", remedy="for example --set stage3.steps=500")
        else:
            values[key] = value
    return RunConfig.from_dict(values)


def run_directory(
    cohort: Path,
    bundle: Path,
    out: Path,
    *,
    preset: str = "default",
    slm: str = "scratch",
    gguf: str | None = None,
    stages: Sequence[int] | None = None,
    fold: int | None = None,
    init: Path | None = None,
    resume: bool = True,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
) -> list[Row]:
    """Train a run and give one row a stage (see `distill.run.run`)."""
    config = configure(preset, settings or {}, slm=slm, gguf=gguf, seed=seed)
    done = run(
        Cohort.open(cohort), Bundle.open(bundle), out, config,
        resume=resume, fold=fold, stages=tuple(stages or (1, 2, 3)), init=init,
    )  # fmt: skip
    return stage_rows(done)


def stage_rows(run: Run) -> list[Row]:
    """One row a finished stage: steps, the step kept, development scores, time."""
    rows: list[Row] = []
    timings = run.timings()
    for stage in run.stages:
        metrics, took = run.metrics(stage), timings.get(f"stage{stage}")
        dev = metrics.get("dev")
        row: Row = {"stage": stage, "steps": metrics["steps"], "kept step": metrics["best_step"]}
        if isinstance(dev, dict):
            row.update({f"dev {name}": value for name, value in dev.items() if name != "step"})
        if isinstance(took, dict):
            row.update({"seconds": took["seconds"], "CPU seconds": took["cpu_seconds"]})
        rows.append(row)
    return rows


def cohort_of(run: Run, cohort: Path | None) -> Cohort:
    """Open the cohort given, else the one that the run was trained on.

    Raises:
        InputError: where it is gone or is not a cohort.
    """
    return Cohort.open(cohort or Path(str(run.manifest["cohort_path"])))


def bundle_of(run: Run, bundle: Path | None) -> Bundle:
    """Open the bundle given, else the one that the run was trained with.

    Raises:
        InputError: where it is gone, or holds another graph than the run was trained with.
    """
    opened = Bundle.open(bundle or Path(str(run.manifest["bundle_path"])))
    if opened.hash != run.manifest["graph"]:
        say(f"{opened.path}: another graph than the run was trained with")
    return opened


def evaluate_directory(
    run: Path, *, cohort: Path | None = None, bundle: Path | None = None, samples: int = 1000, seed: int = 0
) -> list[Row]:
    """Evaluate a run beside baselines and controls; writes ``metrics.json`` and ``results.html`` into it.

    Raises:
        InputError: where run, cohort or bundle is missing, or no test split holds a patient.
    """
    opened = Run.open(run)
    patients, graph = cohort_of(opened, cohort), bundle_of(opened, bundle)
    known = opened.split_ids(patients)
    splits = {name: known[name] for name in TEST_SPLITS if known.get(name)}
    if not splits:
        raise InputError("no held-out admissions", where=patients.path, remedy=f"a split is one of {TEST_SPLITS}")
    arms = model_arms(opened, patients, graph, splits, seed=seed)
    arms += baseline_arms(patients, opened.labels, known["train"], known["dev"], splits, seed=seed)
    with bar("bootstrap", len(arms) * len(splits)) as advance:
        table = compare(patients, opened.labels, arms, splits, samples=samples, seed=seed, advance=advance)
    first = next(iter(splits))
    text = text_metrics(opened, patients, splits[first], truth_of(patients, splits[first], opened.labels))
    meta = {
        "text": {"split": first, **text},
        "bootstrap": {"samples": samples, "seed": seed, "by": "patient"},
        "train_admissions": len(known["train"]),
        "dev_admissions": len(known["dev"]),
        "graph": graph.hash,
        "run": opened.manifest["fingerprint"],
        "simulated": patients.manifest.get("simulated", False),
    }
    metrics = table.metrics(meta)
    write_json(opened.path / "metrics.json", metrics)
    write_results(metrics, opened.path / "results.html")
    say(f"{opened.path / 'metrics.json'}, {opened.path / 'results.html'}")
    return list(table.rows())
