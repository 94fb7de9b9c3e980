"""Checkpoints of an unfinished stage: one safetensors file, replaced as a whole, nothing unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ehr.errors import InputError
from ehr.files import atomic_path


@dataclass(slots=True)
class Progress:
    """Where a stage stands.

    The order of the data and every draw (hidden words, dropout) follow from seed, stage and step alone, so ``step`` is
    the whole state of the random numbers.

    Attributes:
        fingerprint: of the run that the checkpoint belongs to.
        step: steps done.
        best_step, best_score: of the development split.
        history: one entry a look at it.
        seconds, cpu_seconds: spent so far.
    """

    fingerprint: str
    step: int = 0
    best_step: int = -1
    best_score: float = float("-inf")
    history: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def named_tensors(model: nn.Module, *, trainable: bool = False) -> dict[str, Tensor]:
    """Give parameters by name, shared ones once; all of them, or those that train now."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad or not trainable}


def load_tensors(model: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Copy tensors into the parameters of their names.

    Raises:
        InputError: for a name or a shape that the model does not have.
    """
    parameters = dict(model.named_parameters())
    for name, tensor in tensors.items():
        target = parameters.get(name)
        if target is None or target.shape != tensor.shape:
            raise InputError(f"weights {name} do not fit the model", where=where, remedy="train again")
        with torch.no_grad():
            target.copy_(tensor)


def save_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all."""
    with atomic_path(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}, temporary)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        InputError: where it is missing or damaged.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise InputError("no such weights", where=path, remedy="run `distill run` first")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise InputError("not a readable safetensors file", where=path, remedy="remove it and train again") from error


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, best: Mapping[str, Tensor], progress: Progress
) -> None:
    """Write weights, best weights so far, the optimizer's state and the progress into one file."""
    tensors = {f"model/{name}": tensor for name, tensor in named_tensors(model, trainable=True).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in state.items()}
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    with atomic_path(path) as temporary:
        save_file(flat, temporary, metadata={"progress": json.dumps(asdict(progress))})


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, fingerprint: str
) -> tuple[Progress, dict[str, Tensor]] | None:
    """Restore a checkpoint; None where there is none of this run.

    Raises:
        InputError: where the file is damaged.
    """
    if not path.is_file():
        return None
    tensors, metadata = _read(path)
    try:
        progress = Progress(**json.loads(metadata["progress"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("no checkpoint of a stage", where=path, remedy="remove it and train again") from error
    if progress.fingerprint != fingerprint:
        return None
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    load_tensors(model, parts["model"], path)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress, parts["best"]
