"""What retrieval costs, and what it finds without training.

    python benchmarks/retrieval.py quality GRAPH COHORT [--splits dev,test,test_words,test_links] [--mimic COHORT]
    python benchmarks/retrieval.py speed GRAPH COHORT [--parts rate,store,networkx,memory,edges]

``quality``: recall of the true labels among the first diseases of all the graph's, beside k-hop, plain PageRank, the
same method with random weights and on a rewired graph; AUROC of the 25 candidates. ``COHORT`` is linked with ``GRAPH``.

``speed``: on a graph of PrimeKG's size. Such a graph without the licensed file:

    python benchmarks/primekg_like.py kg.csv --seed 1
    kg build --source hpo --source hpoa --source icd10cm --source series --source bridge --source primekg:kg.csv \\
        --store none --bundle GRAPH
"""

from __future__ import annotations

import argparse
from pathlib import Path

from retrieval_quality import quality
from retrieval_speed import PARTS, speed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    one = modes.add_parser("quality")
    one.add_argument("graph", type=Path)
    one.add_argument("cohort", type=Path)
    one.add_argument("--splits", default="dev,test,test_words,test_links")
    one.add_argument("--mimic", type=Path, help="a linked cohort of the MIMIC-IV demo")
    other = modes.add_parser("speed")
    other.add_argument("graph", type=Path)
    other.add_argument("cohort", type=Path)
    other.add_argument("--parts", default=",".join(PARTS))
    given = parser.parse_args()
    if given.mode == "quality":
        quality(given.graph, given.cohort, given.splits.split(","), given.mimic)
    else:
        speed(given.graph, given.cohort, given.parts.split(","))


if __name__ == "__main__":
    main()
