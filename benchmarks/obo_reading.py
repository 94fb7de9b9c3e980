"""Reading OBO: this project's reader against fastobo and pronto, seconds of CPU, best of three, side by side.

    python benchmarks/obo_reading.py [FILE.obo …]

Without a file it makes one of 30,000 terms. The peers are installed with pip into an environment of their own in a
temporary folder. Ours yields records (concepts, statements with evidence, mappings); fastobo its frames, pronto its
terms. Every run is one process with one thread; they take turns, so that a change of the machine's speed meets all.
"""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

OURS = """
import sys, time
from pathlib import Path
from kg.readers.obo import read_obo
start = time.process_time()
count = sum(1 for _ in read_obo(Path(sys.argv[1]), "x"))
print(time.process_time() - start, count)
"""
FASTOBO = """
import sys, time, fastobo
start = time.process_time()
count = sum(1 for _ in fastobo.iter(sys.argv[1], threads=1))
print(time.process_time() - start, count)
"""
PRONTO = """
import sys, time, warnings, pronto
warnings.simplefilter("ignore")
start = time.process_time()
count = len(list(pronto.Ontology(sys.argv[1], threads=1).terms()))
print(time.process_time() - start, count)
"""
UNITS = {"this project": "records", "fastobo": "frames", "pronto": "terms"}
WORDS = ["acute", "chronic", "cardiac", "renal", "hepatic", "disease", "failure", "of", "the", "upper", "abnormal"]
TERMS, SEED = 30_000, 7


def generate(path: Path) -> None:
    """Write an ontology with the mixture of clauses that disease ontologies have."""
    draw = random.Random(SEED)

    def phrase(least: int, most: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))

    lines = ["format-version: 1.2", "data-version: releases/2026-01-01", "ontology: gen", ""]
    for number in range(1, TERMS + 1):
        lines += ["[Term]", f"id: GEN:{number:07}", f"name: {phrase(2, 5)} {number}"]
        if draw.random() < 0.8:
            lines.append(
                f'def: "A {phrase(8, 30)}." [PMID:{draw.randint(1, 9**8)}, url:https\\://example.org/{number}]'
            )
        for _ in range(draw.choice((0, 0, 1, 1, 2, 4))):
            scope = draw.choice(("EXACT", "EXACT", "EXACT", "NARROW", "RELATED", "BROAD"))
            lines.append(f'synonym: "{phrase(2, 5)}" {scope} []')
        for _ in range(draw.choice((0, 1, 2, 3, 6))):
            prefix = draw.choice(("UMLS_CUI:C", "MESH:D", "SNOMEDCT_US_2025_09_01:", "ICD10CM:A", "NCI:C"))
            lines.append(f"xref: {prefix}{draw.randint(10, 99_999)}")
        if number > 1:
            parents = draw.sample(range(1, number), min(number - 1, draw.choice((1, 1, 1, 2))))
            lines += [f"is_a: GEN:{parent:07} ! {phrase(2, 4)}" for parent in parents]
        if number > 1 and draw.random() < 0.2:
            lines.append(f"relationship: part_of GEN:{draw.randint(1, number - 1):07} ! {phrase(2, 4)}")
        lines.append("")
    lines += ["[Typedef]", "id: part_of", "name: part of", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def measure(python: str, code: str, path: Path) -> tuple[float, int] | str:
    done = subprocess.run([python, "-c", code, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:90]
    seconds, count = done.stdout.split()
    return float(seconds), int(count)


def compare(path: Path, peers: str) -> None:
    runs = {"this project": (sys.executable, OURS), "fastobo": (peers, FASTOBO), "pronto": (peers, PRONTO)}
    best: dict[str, tuple[float, int] | str] = {}
    for _ in range(3):
        for name, (python, code) in runs.items():
            found = measure(python, code, path)
            before = best.get(name)
            best[name] = min(before, found) if isinstance(before, tuple) and isinstance(found, tuple) else found
    ours = best["this project"]
    print(f"\n{path.name}, {path.stat().st_size / 1e6:.1f} MB\n{'reader':14} {'CPU s':>7} {'times ours':>11}  yields")
    for name, result in best.items():
        if isinstance(result, str) or isinstance(ours, str):
            print(f"{name:14} {'-':>7} {'-':>11}  {result}")
        else:
            print(f"{name:14} {result[0]:7.2f} {result[0] / ours[0]:11.2f}  {result[1]:,} {UNITS[name]}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        venv.create(place / "peers", with_pip=True)
        peers = str(place / "peers" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        subprocess.run([peers, "-m", "pip", "install", "-q", "fastobo", "pronto"], check=True)
        files = []
        for name in sys.argv[1:]:
            source = Path(name)
            plain = place / source.name.removesuffix(".gz")
            content = source.read_bytes()
            plain.write_bytes(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
            files.append(plain)
        if not files:
            files = [place / "generated.obo"]
            generate(files[0])
        for path in files:
            compare(path, peers)


if __name__ == "__main__":
    main()
