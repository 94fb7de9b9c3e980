"""Print a run's ``metrics.json`` as the Markdown tables of ``docs/results.md``.

python benchmarks/results_markdown.py demo/run demo-mimic/run
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

COLUMNS = (
    ("macro_auroc", "AUROC macro"),
    ("micro_auroc", "AUROC micro"),
    ("macro_auprc", "AUPRC macro"),
    ("micro_auprc", "AUPRC micro"),
    ("macro_precision", "P macro"),
    ("macro_recall", "R macro"),
    ("macro_f1", "F1 macro"),
    ("micro_precision", "P micro"),
    ("micro_recall", "R micro"),
    ("micro_f1", "F1 micro"),
)
WITH_INTERVAL = {"macro_auroc", "macro_auprc", "micro_f1"}


def cell(metric: str, interval: dict[str, float]) -> str:
    if metric in WITH_INTERVAL:
        return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
    return f"{interval['value']:.3f}"


def tables(path: Path) -> str:
    metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    lines: list[str] = []
    splits = list(next(iter(metrics["arms"].values()))["splits"])
    for split in splits:
        arms = {name: arm for name, arm in metrics["arms"].items() if split in arm["splits"]}
        size = next(iter(arms.values()))["splits"][split]
        lines += ["", f"`{split}`: {size['n_admissions']} admissions of {size['n_patients']} patients", ""]
        lines.append(
            "| arm | steps | " + " | ".join(title for _, title in COLUMNS) + " | full minus this, AUROC macro |"
        )
        lines.append("|---|---" + "|---" * (len(COLUMNS) + 1) + "|")
        for name, arm in arms.items():
            found = arm["splits"][split]
            cells = [cell(metric, found["metrics"][metric]) for metric, _ in COLUMNS]
            gap = found["full_minus_this"].get("macro_auroc")
            last = f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]" if gap else ""
            lines.append(f"| {name} | {arm['steps'] or ''} | " + " | ".join(cells) + f" | {last} |")
    return "\n".join(lines)


if __name__ == "__main__":
    for directory in sys.argv[1:]:
        print(f"\n## {directory}")
        print(tables(Path(directory)))
