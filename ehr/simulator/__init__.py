"""Simulated hospital admissions in MIMIC-IV's own file layout, from tables of the simulator's own.

`simulate` writes a directory of hospital tables, `generating_pairs` says which disease generates which finding. Nothing
here reads the knowledge graph, and the graph reads nothing here.
"""

from ehr.simulator.holdout import generating_pairs
from ehr.simulator.hospital import SimulationSummary, simulate

__all__ = ["SimulationSummary", "generating_pairs", "simulate"]
