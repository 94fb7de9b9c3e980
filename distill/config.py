"""Settings of a run, each with its reason, and three presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal

from distill.rationale import Order
from ehr.errors import InputError
from ehr.files import JsonValue

STAGES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class StageConfig:
    """How one stage is trained.

    Attributes:
        steps: optimizer steps; fixed, so that equal runs are equal whatever the clock says.
        rate, slm_rate: peak learning rates of the new modules and of the language model.
        text_every: compute the text loss on every k-th step (0: never), multiplied by k so that its weight is kept.
        mask_findings: probability with which each linked finding's words are hidden in the note while the graph keeps
            the finding; without it a model with the note at hand learns to do without the graph.
        drop_note, drop_labs: probability with which a whole modality of an example is hidden.
        evaluate_every: steps between looks at the development split (0: at the end alone).
    """

    steps: int = 400
    rate: float = 1e-3
    slm_rate: float = 1e-3
    text_every: int = 1
    mask_findings: float = 0.0
    drop_note: float = 0.0
    drop_labs: float = 0.0
    evaluate_every: int = 50


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything that decides what a run ends with, beside its data.

    Attributes:
        slm: ``scratch``, or a Hugging Face id or directory; ``gguf`` names a GGUF file of it.
        train_slm: False keeps a pretrained language model as it is in all stages.
        slm_width, slm_layers, vocabulary: shape of the T5 and size of the tokenizer built for ``scratch``.
        knowledge: ``graph``, ``tokens`` (the published form) or ``none``.
        order: rationale before the diagnosis, or after it.
        stage1_target: ``note`` asks of the note what it can show, ``paper`` for the lab part too.
        window_start, window_hours, patch_hours: the hourly grid, from admission.
        max_patches: most patches of a patient; the latest of each variable are kept first.
        note_tokens, target_tokens, target_words: limits of the note and of the text to write.
        text_weight, label_weight: weights of the two losses.
        checkpoint_every: steps between checkpoints of an unfinished stage.
        dev_share: share of the training patients that choose the checkpoint where the cohort has no dev split (folds).
        device: ``cpu``, ``cuda`` or ``auto``.
    """

    preset: str = "default"
    seed: int = 0
    slm: str = "scratch"
    gguf: str | None = None
    train_slm: bool = True
    slm_width: int = 128
    slm_layers: int = 3
    vocabulary: int = 8000
    knowledge: Literal["graph", "tokens", "none"] = "graph"
    knowledge_slots: int = 24
    note_queries: bool = False
    order: Order = "rationale_first"
    stage1_target: Literal["note", "paper"] = "note"
    window_start: int = 0
    window_hours: int = 240
    patch_hours: int = 12
    max_patches: int = 320
    note_tokens: int = 512
    target_tokens: int = 192
    target_words: int = 140
    width: int = 96
    time_layers: int = 2
    graph_layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    name_dropout: float = 0.3
    prompt_tokens: int = 16
    batch_size: int = 32
    weight_decay: float = 0.05
    warmup: float = 0.1
    clip: float = 1.0
    text_weight: float = 0.3
    label_weight: float = 1.0
    label_smoothing: float = 0.0
    checkpoint_every: int = 50
    dev_share: float = 0.15
    device: str = "cpu"
    stage1: StageConfig = field(default_factory=StageConfig)
    stage2: StageConfig = field(default_factory=StageConfig)
    stage3: StageConfig = field(default_factory=lambda: StageConfig(mask_findings=0.5))

    def __post_init__(self) -> None:
        if self.window_hours % self.patch_hours:
            raise InputError(
                f"patches of {self.patch_hours} hours do not divide a window of {self.window_hours}", where="config"
            )
        for name, known in (
            ("knowledge", ("graph", "tokens", "none")),
            ("order", ("rationale_first", "diagnosis_first")),
            ("stage1_target", ("note", "paper")),
        ):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}", where="config"
                )
        if self.batch_size < 1 or self.checkpoint_every < 1:
            raise InputError("batch_size and checkpoint_every must be at least 1", where="config")

    def stage(self, number: int) -> StageConfig:
        """Give the settings of stage 1, 2 or 3."""
        return {1: self.stage1, 2: self.stage2, 3: self.stage3}[number]

    @property
    def patches(self) -> int:
        """Number of patches in the window."""
        return self.window_hours // self.patch_hours

    @property
    def scratch(self) -> bool:
        """Say whether the language model is built here rather than loaded."""
        return self.slm == "scratch" and self.gguf is None

    def as_dict(self) -> dict[str, JsonValue]:
        """Give all settings as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> RunConfig:
        """Read settings written by `as_dict`.

        Raises:
            InputError: for a setting that does not exist.
        """
        known = {item.name for item in fields(cls)}
        if strange := sorted(set(values) - known):
            raise InputError(
                f"unknown setting {strange[0]!r}", where="config", remedy=f"known: {', '.join(sorted(known))}"
            )
        plain = dict(values)
        for name in ("stage1", "stage2", "stage3"):
            stage = plain.get(name)
            if isinstance(stage, Mapping):
                if strange := sorted(set(stage) - {item.name for item in fields(StageConfig)}):
                    raise InputError(f"unknown setting {strange[0]!r} of {name}", where="config")
                plain[name] = StageConfig(**stage)
        return cls(**plain)  # type: ignore[arg-type]

    def but(self, **changes: object) -> RunConfig:
        """Give a copy with some settings changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _default() -> RunConfig:
    return RunConfig(
        stage1=StageConfig(steps=4000, rate=1e-3, slm_rate=1e-3, evaluate_every=250),
        stage2=StageConfig(steps=3000, rate=1e-3, evaluate_every=250, text_every=2),
        stage3=StageConfig(steps=4000, rate=5e-4, slm_rate=5e-4, evaluate_every=250, mask_findings=0.5),
        checkpoint_every=250,
    )


def _demo() -> RunConfig:
    return RunConfig(
        preset="demo",
        slm_width=64,
        slm_layers=2,
        vocabulary=4000,
        width=64,
        window_hours=120,
        max_patches=128,
        note_tokens=288,
        target_tokens=72,
        target_words=60,
        prompt_tokens=8,
        heads=2,
        dropout=0.2,
        text_weight=0.5,
        checkpoint_every=50,
        stage1=StageConfig(steps=180, rate=3e-3, slm_rate=3e-3, evaluate_every=60, mask_findings=0.3),
        stage2=StageConfig(steps=100, rate=2e-3, text_every=2, evaluate_every=50),
        stage3=StageConfig(steps=300, rate=8e-4, slm_rate=3e-3, evaluate_every=75, mask_findings=0.5),
    )


def _folds() -> RunConfig:
    """Give `demo` with fewer steps, for cohorts of a few hundred admissions that are trained on several times."""
    few = {"evaluate_every": 30}
    demo = _demo()
    return demo.but(
        preset="folds",
        stage1=replace(demo.stage1, steps=60, **few),
        stage2=replace(demo.stage2, steps=60, **few),
        stage3=replace(demo.stage3, steps=90, **few),
    )


def _paper() -> RunConfig:
    stage = StageConfig(steps=10000, rate=2e-5, slm_rate=2e-5, evaluate_every=500)
    return RunConfig(
        preset="paper",
        width=768,
        heads=8,
        window_hours=1000,
        patch_hours=8,
        max_patches=1375,
        note_tokens=1600,
        target_tokens=500,
        target_words=380,
        batch_size=12,
        text_weight=1.0,
        label_weight=0.0,
        stage1_target="paper",
        order="diagnosis_first",
        knowledge="tokens",
        checkpoint_every=500,
        stage1=stage,
        stage2=stage,
        stage3=stage,
    )


def preset(name: str) -> RunConfig:
    """Give the settings of a preset.

    ``demo``: small enough for two cores and minutes. ``folds``: the same with fewer steps, for each fold of a few
    hundred admissions. ``default``: for real cohorts on one accelerator or a patient machine. ``paper``: sizes and
    rates of the publication (Flan-T5-small's shape needs ``slm`` to be its path).

    Raises:
        InputError: for an unknown name.
    """
    made = {"default": _default, "demo": _demo, "folds": _folds, "paper": _paper}.get(name)
    if made is None:
        raise InputError(f"unknown preset {name!r}", remedy="expected demo, folds, default or paper")
    return made()
