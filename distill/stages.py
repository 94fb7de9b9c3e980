"""The three stages: what trains in each, on what, and which checkpoint is kept (paper, section 3).

1. notes: language model and head, note to diagnoses and note rationale;
2. labs: the language model is frozen, everything else reads labs and the subgraph that labs alone call up;
3. joint: the time-series encoder is frozen, the rest reads everything.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.checkpoint import Progress, load_checkpoint, load_tensors, named_tensors, save_checkpoint
from distill.collate import Collator, to_device
from distill.config import RunConfig
from distill.data import Record
from distill.metrics import auroc_auprc
from ehr.progress import bar
from encoder.model import ClinicalModel, ModelInputs, ModelOutput
from kg.types import PatientSubgraph

TITLES = {1: "stage 1, notes", 2: "stage 2, labs", 3: "stage 3, joint"}
TEXT_IN_CHOICE = 0.01
"""A checkpoint is chosen by macro AUROC minus so much of the text loss: near ties go to the better text."""
GRAPH_MODE = {2: "labs", 3: "all"}
Floats = NDArray[np.float64]


def stage_modules(
    model: ClinicalModel, stage: int, *, train_slm: bool = True
) -> tuple[list[nn.Module], list[nn.Module]]:
    """Give the modules that train in a stage and those that are frozen."""
    names = {name for name, _ in model.named_children()}
    training = {1: {"slm", "head", "memory"}, 2: names - {"slm"}, 3: names - {"time"}}[stage]
    if not train_slm:
        training = training - {"slm"}
    children = dict(model.named_children())
    return [children[n] for n in sorted(training)], [children[n] for n in sorted(names - training)]


def set_mode(model: ClinicalModel, stage: int, *, train_slm: bool = True) -> None:
    """Set what trains to training mode; what is frozen stays in evaluation mode, so that its dropout is off."""
    training, frozen = stage_modules(model, stage, train_slm=train_slm)
    model.eval()
    for module in training:
        module.train()
        module.requires_grad_(True)
    for module in frozen:
        module.requires_grad_(False)


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Give the share of the peak rate at a step: linear warm-up, then half a cosine down to zero."""
    first = max(1, round(steps * warmup))
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, steps - first)))


def make_optimizer(model: ClinicalModel, config: RunConfig, stage: int) -> torch.optim.AdamW:
    """Make AdamW; language model and the rest have their own rates, vectors (biases, norms) no weight decay."""
    settings = config.stage(stage)
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("slm."), parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": settings.slm_rate if slm else settings.rate,
                "peak": settings.slm_rate if slm else settings.rate,
                "weight_decay": config.weight_decay if matrix else 0.0,
            }
            for (slm, matrix), parameters in sorted(groups.items())
        ]
    )


def batch_of_step(seed: int, stage: int, step: int, size: int, total: int) -> list[int]:
    """Give the places of a step's examples: one permutation after the other, each drawn from seed, stage and epoch."""
    places: list[int] = []
    position = step * size
    while len(places) < min(size, total):
        epoch, offset = divmod(position + len(places), total)
        order = np.random.default_rng([seed, stage, 1, epoch]).permutation(total)
        places += order[offset : offset + size - len(places)].tolist()
    return places[:size]


@dataclass(slots=True)
class StageData:
    """What a stage reads: training and development records with their subgraphs (None in stage 1)."""

    train: Sequence[Record]
    dev: Sequence[Record]
    subgraphs: Mapping[str, PatientSubgraph] | None


def batches(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    """Cut records into batches in their order, the last one whole or not."""
    for start in range(0, len(records), size):
        yield records[start : start + size]


@torch.no_grad()
def stage_logits(
    model: ClinicalModel,
    collator: Collator,
    records: Sequence[Record],
    subgraphs: Mapping[str, PatientSubgraph] | None,
    stage: int,
) -> Floats:
    """Give the head's logits for all records in their order, shape ``(n, labels)``; nothing shuffled or dropped."""
    model.eval()
    device = next(model.parameters()).device
    found = []
    for part in batches(records, 2 * collator.config.batch_size):
        inputs = collator.batch(part, subgraphs, stage, targets=False)
        found.append(model(to_device(inputs, device), text=False).head.logits.double().cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, len(collator.names)))


@torch.no_grad()
def stage_text_loss(model: ClinicalModel, collator: Collator, data: StageData, stage: int) -> float:
    """Give the mean text loss on the development split, over target tokens."""
    model.eval()
    device = next(model.parameters()).device
    total = weight = 0.0
    for part in batches(data.dev, collator.config.batch_size):
        inputs = collator.batch(part, data.subgraphs, stage)
        if inputs.targets is not None:
            count = float((inputs.targets >= 0).sum())
            loss = model(to_device(inputs, device)).text_loss
            total += float(loss) * count if loss is not None else 0.0
            weight += count
    return total / weight if weight else 0.0


def label_scores(logits: Floats, truth: NDArray[np.bool_]) -> dict[str, float]:
    """Give macro AUROC and AUPRC over labels that occur and lack, and the mean log loss."""
    weights = np.ones((1, len(truth)))
    areas = [
        [float(a[0]) for a in auroc_auprc(truth[:, k], logits[:, k], weights)]
        for k in range(truth.shape[1])
        if 0 < truth[:, k].sum() < len(truth)
    ]
    loss = np.logaddexp(0.0, np.where(truth, -logits, logits)).mean() if truth.size else 0.0
    auroc, auprc = np.mean(areas, axis=0) if areas else (0.5, 0.0)
    return {
        "macro_auroc": round(float(auroc), 6),
        "macro_auprc": round(float(auprc), 6),
        "log_loss": round(float(loss), 6),
    }


class Trainer:
    """Trains one stage, from its beginning or its checkpoint."""

    def __init__(
        self, model: ClinicalModel, collator: Collator, data: StageData, stage: int, checkpoint: Path, fingerprint: str
    ) -> None:
        self.model, self.collator, self.data, self.stage = model, collator, data, stage
        self.config = collator.config
        self.settings = self.config.stage(stage)
        self.checkpoint = checkpoint
        self.progress = Progress(fingerprint)
        self.best: dict[str, Tensor] = {}
        self.device = next(model.parameters()).device
        set_mode(model, stage, train_slm=self.config.train_slm)
        self.optimizer = make_optimizer(model, self.config, stage)

    def loss(self, inputs: ModelInputs, *, text: bool) -> Tensor:
        """Give the weighted sum of label loss and text loss."""
        output: ModelOutput = self.model(inputs, text=text)
        total = output.head.logits.new_zeros(())
        if self.config.label_weight and inputs.labels is not None:
            smooth = self.config.label_smoothing
            target = inputs.labels * (1 - smooth) + smooth * inputs.labels.mean(0, keepdim=True)
            bce = nn.functional.binary_cross_entropy_with_logits(output.head.logits, target, reduction="none")
            total = total + self.config.label_weight * bce.sum(1).mean() / 5
        if output.text_loss is not None and inputs.targets is not None and bool((inputs.targets >= 0).any()):
            total = total + self.config.text_weight * max(1, self.settings.text_every) * output.text_loss
        return total

    def step(self) -> float:
        """Take one optimizer step; every draw follows from seed, stage and step."""
        number = self.progress.step
        torch.manual_seed((self.config.seed * 1_000_003 + self.stage) * 1_000_003 + number)
        generator = np.random.default_rng([self.config.seed, self.stage, 2, number])
        train = self.data.train
        chosen = batch_of_step(self.config.seed, self.stage, number, self.config.batch_size, len(train))
        text = bool(self.settings.text_every) and number % self.settings.text_every == 0 and self.config.text_weight > 0
        inputs = self.collator.batch(
            [train[i] for i in chosen],
            self.data.subgraphs,
            self.stage,
            settings=self.settings,
            generator=generator,
            targets=text,
        )
        factor = learning_rate_factor(number, self.settings.steps, self.config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        loss = self.loss(to_device(inputs, self.device), text=text)
        self.optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
            trainable = [p for p in self.model.parameters() if p.requires_grad]
            nn.utils.clip_grad_norm_(trainable, self.config.clip)
            self.optimizer.step()
        self.progress.step += 1
        return float(loss.detach())

    def look(self) -> None:
        """Look at the development split and keep the weights where they are the best so far."""
        truth = np.stack([record.labels for record in self.data.dev]) > 0.5
        scores = label_scores(
            stage_logits(self.model, self.collator, self.data.dev, self.data.subgraphs, self.stage), truth
        )
        chosen = scores["macro_auroc"] if self.config.label_weight else 0.0
        if self.config.text_weight and self.settings.text_every:
            scores["text_loss"] = round(stage_text_loss(self.model, self.collator, self.data, self.stage), 6)
            chosen -= TEXT_IN_CHOICE * scores["text_loss"]
        recent = self.progress.losses
        self.progress.history.append(
            {"step": self.progress.step, "train_loss": round(float(np.mean(recent or [0.0])), 6), **scores}
        )
        self.progress.losses = []
        if chosen > self.progress.best_score:
            self.progress.best_score, self.progress.best_step = chosen, self.progress.step
            self.best = {name: tensor.clone() for name, tensor in named_tensors(self.model, trainable=True).items()}
        set_mode(self.model, self.stage, train_slm=self.config.train_slm)

    def train(self) -> Progress:
        """Train to the last step; ends with the best weights by the development split in the model."""
        if restored := load_checkpoint(self.checkpoint, self.model, self.optimizer, self.progress.fingerprint):
            self.progress, self.best = restored
        steps, every = self.settings.steps, self.settings.evaluate_every or self.settings.steps
        clock, cpu = time.monotonic(), time.process_time()
        with bar(TITLES[self.stage], steps, done=self.progress.step) as advance:
            while self.progress.step < steps:
                loss = self.step()
                self.progress.losses.append(loss)
                done = self.progress.step
                if done % every == 0 or done == steps:
                    self.look()
                if done % self.config.checkpoint_every == 0 or done == steps:
                    now, used = time.monotonic(), time.process_time()
                    self.progress.seconds += now - clock
                    self.progress.cpu_seconds += used - cpu
                    clock, cpu = now, used
                    save_checkpoint(self.checkpoint, self.model, self.optimizer, self.best, self.progress)
                score = f" dev AUROC {self.progress.history[-1]['macro_auroc']:.3f}" if self.progress.history else ""
                advance(note=f"loss {loss:.3f}{score}")
        load_tensors(self.model, {name: t.to(self.device) for name, t in self.best.items()}, self.checkpoint)
        return self.progress
