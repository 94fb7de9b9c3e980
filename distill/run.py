"""A run: three stages into one directory, which holds all that is needed to repeat, resume and use it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from distill.calibrate import Calibration, fit_calibration
from distill.checkpoint import Progress, load_tensors, named_tensors, read_weights, save_weights
from distill.collate import Collator
from distill.config import STAGES, RunConfig
from distill.data import Record, read_records, read_subgraphs, split_ids
from distill.preprocessing import Preprocessing, fit
from distill.stages import GRAPH_MODE, StageData, Trainer, stage_logits
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.files import JsonValue, fingerprint, read_json, sha256_file, user_errors, write_json
from ehr.phenotypes import load_phenotypes
from ehr.progress import say
from encoder.model import ClinicalModel
from kg.bundle import Bundle
from kg.types import PatientSubgraph

FORMAT = 1
"""Version of the run directory's layout."""
TABLES = ("admissions", "notes", "series", "folds", "findings", "subgraphs", "rationales")
PACKAGES = ("clinragen", "torch", "torch-geometric", "transformers", "tokenizers", "safetensors", "numpy")
WEIGHTS = "model.safetensors"
CHECKPOINT = "checkpoint.safetensors"
Subgraphs = Mapping[str, Mapping[str, PatientSubgraph]]


@dataclass
class Run:
    """An opened run directory.

    Attributes:
        path: the directory.
        config: resolved settings.
        preprocessing: what was learned before any gradient.
        manifest: graph, cohort, versions, fold, seeds.
    """

    path: Path
    config: RunConfig
    preprocessing: Preprocessing
    manifest: dict[str, JsonValue]
    _models: dict[int, ClinicalModel] = field(default_factory=dict, repr=False)
    _collator: Collator | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Open a run directory.

        Raises:
            InputError: where there is none, or one of another format.
        """
        directory = Path(path)
        if not (directory / "manifest.json").is_file():
            raise InputError("no run here (no manifest.json)", where=directory, remedy="make one with `distill run`")
        manifest = read_json(directory / "manifest.json")
        if manifest.get("kind") != "run" or manifest.get("format") != FORMAT:
            raise InputError("not a run directory of this version", where=directory, remedy="train again")
        config = RunConfig.from_dict(read_json(directory / "config.json"))
        return cls(directory, config, Preprocessing.open(directory), manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label ids in the order of every probability vector."""
        return tuple(self.preprocessing.names)

    @property
    def stages(self) -> tuple[int, ...]:
        """Stages that are finished."""
        return tuple(stage for stage in STAGES if self._done(stage))

    @property
    def fold(self) -> int | None:
        """Fold whose patients are the test, None where the cohort's splits hold."""
        value = self.manifest.get("fold")
        return value if isinstance(value, int) else None

    @property
    def collator(self) -> Collator:
        """Make batches as in training."""
        if self._collator is None:
            self._collator = self.preprocessing.collator(self.config)
        return self._collator

    def stage_path(self, stage: int) -> Path:
        """Give the directory of a stage."""
        return self.path / f"stage{stage}"

    def _done(self, stage: int) -> bool:
        return (self.stage_path(stage) / WEIGHTS).is_file() and (self.stage_path(stage) / "metrics.json").is_file()

    def split_ids(self, cohort: Cohort) -> dict[str, list[str]]:
        """Give the admissions of each split as this run saw them."""
        return split_ids(cohort, self.fold, dev_share=self.config.dev_share, seed=self.config.seed)

    def model(self, stage: int) -> ClinicalModel:
        """Give the model as it stood after a stage, in evaluation mode.

        Raises:
            InputError: where the stage is not finished.
        """
        if stage not in self._models:
            if not self._done(stage):
                raise InputError(f"stage {stage} is not finished", where=self.path, remedy="run `distill run` again")
            model = self.preprocessing.model(self.config).to(_device(self.config))
            file = self.stage_path(stage) / WEIGHTS
            load_tensors(model, read_weights(file), file)
            self._models = {stage: model.eval()}
        return self._models[stage]

    def calibration(self, stage: int) -> Calibration:
        """Give the calibration of a stage, fitted on the development split.

        Raises:
            InputError: where there is none.
        """
        values = read_json(self.path / "calibration.json").get(f"stage{stage}")
        if not isinstance(values, dict):
            raise InputError(f"no calibration of stage {stage}", where=self.path / "calibration.json")
        return Calibration.from_dict(values)

    def metrics(self, stage: int) -> dict[str, JsonValue]:
        """Give a stage's metrics: steps, best step, development scores over time."""
        return read_json(self.stage_path(stage) / "metrics.json")

    def timings(self) -> dict[str, JsonValue]:
        """Give what the stages took, in seconds."""
        file = self.path / "timings.json"
        return read_json(file) if file.is_file() else {}


def _device(config: RunConfig) -> torch.device:
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("no CUDA device here", where="device", remedy="use cpu")
    return torch.device(name)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _identity(
    cohort: Cohort, bundle: Bundle, config: RunConfig, fold: int | None, init: Path | None
) -> dict[str, JsonValue]:
    """Give what decides the result, beside this code: settings, data, graph, fold, first weights."""
    first = None
    if init is not None:
        done = Run.open(init).stages
        if not done:
            raise InputError("has no finished stage to start from", where=init, remedy="finish that run first")
        first = sha256_file(init / f"stage{done[-1]}" / WEIGHTS)
    return {
        "config": config.as_dict(),
        "cohort": {name: cohort.fingerprint(name) for name in TABLES},
        "graph": bundle.hash,
        "fold": fold,
        "init": first,
    }


def _prepare(out: Path, print_: str, resume: bool) -> bool:
    """Make ready the directory; True where a run with this fingerprint stands there already."""
    manifest = out / "manifest.json"
    if manifest.is_file() and resume:
        found = read_json(manifest)
        if found.get("kind") != "run":
            raise InputError("holds something that is no run", where=out, remedy="choose another directory")
        if found.get("fingerprint") == print_ and found.get("format") == FORMAT:
            return True
        raise InputError(
            "holds a run of other settings, cohort or graph",
            where=out,
            remedy="choose another directory, or start this one anew without resuming",
        )
    with user_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        for name in ("stage1", "stage2", "stage3", "tokenizer", "predictions"):
            shutil.rmtree(out / name, ignore_errors=True)
        for name in ("manifest.json", "calibration.json", "timings.json", "preprocessing.json", "concepts.parquet"):
            (out / name).unlink(missing_ok=True)
    return False


@dataclass
class _Job:
    """One call of `run`, with what its stages share."""

    cohort: Cohort
    run: Run
    splits: dict[str, list[str]]
    fingerprint: str
    init: Path | None
    requested: tuple[int, ...]
    _records: dict[str, list[Record]] = field(default_factory=dict)

    def records(self, split: str) -> list[Record]:
        if split not in self._records:
            self._records[split] = read_records(self.cohort, self.splits[split], self.run.preprocessing.labels)
        return self._records[split]

    def data(self, stage: int) -> StageData:
        subgraphs = None
        if stage in GRAPH_MODE and self.run.config.knowledge == "graph":
            ids = sorted(self.splits["train"] + self.splits["dev"])
            subgraphs = read_subgraphs(self.cohort, ids, GRAPH_MODE[stage])
        return StageData(self.records("train"), self.records("dev"), subgraphs)

    def start(self, stage: int) -> ClinicalModel:
        """Give the model that a stage starts from: the stage before it, else the first weights, else fresh ones."""
        run = self.run
        before = [s for s in run.stages if s < stage]
        if before and before[-1] in run._models:
            return run._models.pop(before[-1])
        model = run.preprocessing.model(run.config)
        if before:
            file = run.stage_path(before[-1]) / WEIGHTS
            load_tensors(model, read_weights(file), file)
        elif self.init is not None:
            _start_from(model, Run.open(self.init), run.preprocessing)
        return model.to(_device(run.config))

    def train(self, stage: int) -> None:
        """Train one stage; its metrics are written last, as the sign of being done."""
        run, data = self.run, self.data(stage)
        directory = run.stage_path(stage)
        directory.mkdir(parents=True, exist_ok=True)
        checkpoint = directory / CHECKPOINT
        trainer = Trainer(self.start(stage), run.collator, data, stage, checkpoint, self.fingerprint)
        progress = trainer.train()
        logits = stage_logits(trainer.model, run.collator, data.dev, data.subgraphs, stage)
        truth = np.stack([record.labels for record in data.dev]) > 0.5
        stored = {**_json(run.path / "calibration.json"), f"stage{stage}": fit_calibration(logits, truth).as_dict()}
        write_json(run.path / "calibration.json", stored)
        self._write_timings(stage, progress)
        skipped = () if run.config.train_slm or run.config.scratch else ("slm.",)
        tensors = {n: t for n, t in named_tensors(trainer.model).items() if not n.startswith(skipped or ("\0",))}
        save_weights(directory / WEIGHTS, tensors)
        write_json(directory / "metrics.json", _metrics(run.config, stage, data, progress))
        checkpoint.unlink(missing_ok=True)
        run._models = {stage: trainer.model.eval()}

    def _write_timings(self, stage: int, progress: Progress) -> None:
        timings = _json(self.run.path / "timings.json")
        timings[f"stage{stage}"] = {
            "seconds": round(progress.seconds, 1),
            "cpu_seconds": round(progress.cpu_seconds, 1),
        }
        write_json(self.run.path / "timings.json", timings)


def _json(path: Path) -> dict[str, Any]:
    return dict(read_json(path)) if path.is_file() else {}


def _metrics(config: RunConfig, stage: int, data: StageData, progress: Progress) -> dict[str, object]:
    best = next((entry for entry in progress.history if entry["step"] == progress.best_step), {})
    return {
        "stage": stage,
        "steps": progress.step,
        "best_step": progress.best_step,
        "train_admissions": len(data.train),
        "dev_admissions": len(data.dev),
        "text_every": config.stage(stage).text_every,
        "dev": dict(best),
        "history": list(progress.history),
    }


def _start_from(model: ClinicalModel, earlier: Run, now: Preprocessing) -> None:
    """Copy an earlier run's last weights; the head's bias moves by the difference of the labels' frequencies."""
    stage = earlier.stages[-1]
    file = earlier.stage_path(stage) / WEIGHTS
    load_tensors(model, read_weights(file), file)
    rates = [torch.logit(torch.tensor(p.prevalence).clamp(1e-3, 1 - 1e-3)) for p in (earlier.preprocessing, now)]
    with torch.no_grad():
        model.head.bias.add_(rates[1] - rates[0])


def _create(
    cohort: Cohort, bundle: Bundle, out: Path, config: RunConfig, splits: Mapping[str, Sequence[str]], init: Path | None
) -> Run:
    """Learn what needs no gradient and write it; the manifest comes last."""
    cohort.need_built_in_labels("training")
    earlier = Run.open(init).preprocessing if init is not None else None
    places = {label: place for place, label in enumerate(earlier.names)} if earlier else {}
    train = list(splits["train"])
    subgraphs: dict[str, Mapping[str, PatientSubgraph]] = {}
    if config.knowledge == "graph":
        subgraphs = {mode: read_subgraphs(cohort, train, mode) for mode in ("all", "labs")}
    places = places or {label: place for place, label in enumerate(load_phenotypes().ids)}
    write_json(out / "config.json", config.as_dict())
    done = fit(config, bundle, read_records(cohort, train, places), subgraphs, earlier)
    done.save(out)
    return Run(out, config, done, {})


def _write_manifest(
    run: Run,
    identity: Mapping[str, JsonValue],
    print_: str,
    cohort: Cohort,
    splits: Mapping[str, Sequence[str]],
    bundle_path: Path,
) -> None:
    run.manifest = {
        **{name: value for name, value in identity.items() if name != "config"},
        "kind": "run",
        "format": FORMAT,
        "fingerprint": print_,
        "cohort_path": str(cohort.path.resolve()),
        "bundle_path": str(bundle_path.resolve()),
        "seed": run.config.seed,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "splits": {name: len(ids) for name, ids in splits.items()},
    }
    write_json(run.path / "manifest.json", dict(run.manifest))


def run(
    cohort: Cohort,
    bundle: Bundle,
    out: Path,
    config: RunConfig,
    *,
    resume: bool = True,
    fold: int | None = None,
    stages: Sequence[int] = STAGES,
    init: Path | None = None,
) -> Run:
    """Train the stages into a run directory.

    Killed at any point, the same call goes on from its last checkpoint and ends with the same weights (on a CPU, at the
    same number of threads). Finished stages are not trained again.

    Args:
        cohort: with findings, subgraphs and (for the text) rationales.
        bundle: the graph that they were made with.
        out: run directory.
        config: see `distill.config.preset`.
        resume: False starts the directory anew.
        fold: take this fold's patients as the test and draw the development split from the others.
        stages: which stages, in rising order.
        init: an earlier run directory whose last weights, tokenizer and normalisation are started from.

    Raises:
        InputError: where a table is missing, the directory holds another run, or a split is empty.
    """
    requested = tuple(sorted(set(stages)))
    if not requested or not set(requested) <= set(STAGES):
        raise InputError(f"stages {list(stages)}, expected some of 1, 2, 3", where="stages")
    out = Path(out)
    splits = split_ids(cohort, fold, dev_share=config.dev_share, seed=config.seed)
    identity = _identity(cohort, bundle, config, fold, init)
    print_ = fingerprint({**identity, "format": FORMAT})
    if _prepare(out, print_, resume):
        opened = Run.open(out)
    else:
        opened = _create(cohort, bundle, out, config, splits, init)
        _write_manifest(opened, identity, print_, cohort, splits, bundle.path)
    job = _Job(cohort, opened, splits, print_, init, requested)
    for stage in requested:
        if stage in opened.stages:
            say(f"stage {stage} is finished already")
            continue
        job.train(stage)
    return opened
