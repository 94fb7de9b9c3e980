"""The results of a run as one self-contained HTML page: arms by splits, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ehr.html import render_page
from ehr.phenotypes import load_phenotypes

SHOWN = (
    ("macro_auroc", "AUROC, macro"),
    ("micro_auroc", "AUROC, micro"),
    ("macro_auprc", "AUPRC, macro"),
    ("micro_auprc", "AUPRC, micro"),
    ("macro_f1", "F1, macro"),
    ("micro_f1", "F1, micro"),
    ("macro_precision", "precision, macro"),
    ("micro_precision", "precision, micro"),
    ("macro_recall", "recall, macro"),
    ("micro_recall", "recall, micro"),
)
"""Metrics and their headings, in the order of the columns; others follow by name."""
LABEL_METRICS = (("auroc", "AUROC"), ("auprc", "AUPRC"), ("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
FULL = "full"

SPLITS = {
    "test": "held-out patients, as in training",
    "test_words": "held-out patients whose findings are said in words that never occur in training",
    "test_links": "held-out patients, a fifth of the disease-finding pairs withheld from training",
    "dev": "development patients, on whom thresholds were chosen",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure with its 95 % interval, ready to print; ``best`` among the arms that could be used."""

    value: str = ""
    interval: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval as a line on the way from 0 to 1."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One arm in one split."""

    name: str
    note: str
    steps: str
    evaluation_only: bool
    cells: tuple[Cell, ...]
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class SplitTable:
    """All arms in one split; ``labels`` are the full model's figures by disease."""

    name: str
    about: str
    admissions: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    label_headings: tuple[str, ...]
    labels: tuple[tuple[str, str, tuple[Cell, ...]], ...]
    label_arm: str


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def _cell(interval: Mapping[str, object], best: bool = False) -> Cell:
    value, low, high = (_float(interval.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return Cell("–")
    return Cell(f"{value:.3f}", "" if low is None or high is None else f"{low:.3f} to {high:.3f}", best)


def _bar(interval: Mapping[str, object]) -> Bar | None:
    value, low, high = (_float(interval.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return None
    return Bar(
        *(
            min(max(one, 0.0), 1.0)
            for one in (low if low is not None else value, value, high if high is not None else value)
        )
    )


def _headings(found: Iterable[str]) -> list[tuple[str, str]]:
    names = set(found)
    known = [(key, heading) for key, heading in SHOWN if key in names]
    rest = sorted(names - {key for key, _ in known})
    return known + [(key, key.replace("_", " ")) for key in rest]


def _best(splits: Sequence[tuple[bool, Mapping[str, object]]], metric: str) -> float | None:
    """Give the highest value of the arms that are models, not controls."""
    values = [_float(_mapping(metrics.get(metric)).get("value")) for control, metrics in splits if not control]
    return max((value for value in values if value is not None), default=None)


def _label_rows(labels: Mapping[str, object]) -> tuple[tuple[str, ...], list[tuple[str, str, tuple[Cell, ...]]]]:
    names = load_phenotypes()
    present = [
        (key, heading) for key, heading in LABEL_METRICS if any(key in _mapping(values) for values in labels.values())
    ]
    order = sorted(labels, key=lambda label: (names.index(label) if label in names else len(names), label))
    rows = []
    for label in order:
        values = _mapping(labels[label])
        positives = _float(values.get("positives"))
        count = "" if positives is None else f"{positives:.3g}"
        cells = tuple(_cell(_mapping(values.get(key))) for key, _ in present)
        rows.append((names[label].name if label in names else label, count, cells))
    return tuple(heading for _, heading in present), rows


def _split_table(name: str, arms: Mapping[str, object]) -> SplitTable:
    inside = {
        arm: _mapping(_mapping(_mapping(value).get("splits")).get(name))
        for arm, value in arms.items()
        if name in _mapping(_mapping(value).get("splits"))
    }
    metrics = {arm: _mapping(split.get("metrics")) for arm, split in inside.items()}
    headings = _headings(metric for values in metrics.values() for metric in values)
    controls = {arm: _mapping(arms[arm]).get("evaluation_only") is True for arm in inside}
    pairs = [(controls[arm], metrics[arm]) for arm in inside]
    best = {key: _best(pairs, key) for key, _ in headings}
    rows = []
    for arm, values in metrics.items():
        about = _mapping(arms[arm])
        cells = []
        for key, _ in headings:
            interval = _mapping(values.get(key))
            found = _float(interval.get("value"))
            cells.append(_cell(interval, found is not None and found == best[key] and not controls[arm]))
        steps = about.get("steps")
        first = _mapping(values.get(headings[0][0])) if headings else {}
        rows.append(
            Row(
                arm,
                str(about.get("note") or ""),
                f"{steps:,}" if isinstance(steps, int) else "",
                controls[arm],
                tuple(cells),
                _bar(first),
            )
        )
    label_arm = FULL if FULL in inside else next(iter(inside), "")
    sizes = inside.get(label_arm, {})
    counted = (("n_admissions", "admissions"), ("n_patients", "patients"))
    told = [f"{size:,} {word}" for key, word in counted if isinstance(size := sizes.get(key), int)]
    label_headings, labels = _label_rows(_mapping(sizes.get("labels")))
    return SplitTable(
        name,
        SPLITS.get(name, ""),
        " of ".join(told),
        tuple(heading for _, heading in headings),
        tuple(rows),
        label_headings,
        tuple(labels),
        label_arm,
    )


def _flat(meta: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Give settings as pairs of text; nested ones get a path."""
    pairs: list[tuple[str, str]] = []
    for key, value in sorted(meta.items()):
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{name}, ")
        elif isinstance(value, list | tuple):
            pairs.append((name, ", ".join(map(str, value))))
        elif value is not None:
            pairs.append((name, f"{value:.4g}" if isinstance(value, float) else str(value)))
    return pairs


def write_results(metrics: Mapping[str, object], out: Path) -> None:
    """Write the tables of an evaluation as one HTML file.

    Args:
        metrics: ``{"arms": {arm: {"note", "steps", "evaluation_only", "splits": {split: {"n_admissions", "metrics":
            {metric: {"value", "low", "high"}}, "labels": {label: {metric: {…}}}}}}}, "meta": {…}}``; what is missing
            is left empty, never zero.
        out: the file, written whole or not at all.

    Raises:
        InputError: where the file cannot be written.
    """
    arms = _mapping(metrics.get("arms"))
    found = {split for value in arms.values() for split in _mapping(_mapping(value).get("splits"))}
    order = [split for split in SPLITS if split in found] + sorted(found - set(SPLITS))
    meta = _mapping(metrics.get("meta"))
    render_page(
        out,
        "distill.report",
        "results.html.j2",
        tables=[_split_table(split, arms) for split in order],
        meta=_flat(meta),
        simulated=meta.get("simulated") is True,
    )
