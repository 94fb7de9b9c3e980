"""From a patient's findings to a small typed subgraph around the 25 candidate diseases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.retrieve.columns import Columns
from kg.retrieve.core import make_core
from kg.retrieve.evidence import EvidenceIndex
from kg.retrieve.methods import METHODS
from kg.retrieve.seeds import MODES
from kg.retrieve.snapshot import Snapshot
from kg.retrieve.snapshot_files import load_snapshot
from kg.retrieve.table import SCHEMA
from kg.retrieve.workshop import Workshop
from kg.types import Finding, PatientSubgraph

if TYPE_CHECKING:
    from kg.bundle import Bundle

_AT_ONCE = 100
"""Patients whose columns are made together."""
_HELD = 10_000
"""Different seeds (concept, state, weight, origins) of which something is kept for the next patient."""

Patient = tuple[str, Sequence[Finding], str]


class Retriever:
    """Retrieves subgraphs from one bundle; its memory does not grow with the number of admissions."""

    def __init__(
        self,
        bundle: Bundle | Snapshot,
        *,
        nodes: int = 64,
        seed: int = 0,
        method: str = "typed",
        rewired_seed: int | None = None,
    ) -> None:
        """Load the bundle's snapshot.

        Args:
            bundle: the graph, or a snapshot of one.
            nodes: the most concepts of a subgraph; every candidate is among them.
            seed: orders concepts of equal score.
            method: how nodes are chosen, one of `kg.retrieve.methods.METHODS`.
            rewired_seed: where given, retrieve from a graph whose statements were rewired with this seed: same
                concepts, same degrees, same predicates, other meaning. A control for evaluation.

        Raises:
            InputError: where ``nodes`` leaves no room beside the candidates, or for an unknown method.
        """
        if method not in METHODS:
            raise InputError(f"unknown method {method!r}", remedy=f"take one of {', '.join(METHODS)}")
        candidates = load_phenotypes().ids
        least = len(candidates) + 8
        if nodes < least:
            raise InputError(f"{nodes} is too few for a subgraph", where="nodes", remedy=f"take {least} or more")
        snapshot = bundle if isinstance(bundle, Snapshot) else load_snapshot(bundle)
        self.core = make_core(snapshot, candidates, rewired_seed=rewired_seed)
        self.method, self.nodes = method, nodes
        information = dict(zip(self.core.ids, self.core.information.tolist(), strict=True))
        self.index = EvidenceIndex(self.core.triples, self.core.candidates, information)
        self._tie: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(self.core.ids))
        self._workshop = self._opened()

    def _opened(self) -> Workshop:
        return Workshop(self.core, self.index, self._tie, self.method, self.nodes)

    def retrieve(self, findings: Sequence[Finding], admission_id: str, mode: str = "all") -> PatientSubgraph:
        """Retrieve one subgraph.

        Args:
            findings: the patient's.
            admission_id: goes into the result.
            mode: ``all``, or ``labs`` to start from labs and vital signs alone.

        Raises:
            InputError: for an unknown mode.
        """
        return self.retrieve_many([(admission_id, findings, mode)])[0]

    def retrieve_many(self, patients: Sequence[Patient]) -> list[PatientSubgraph]:
        """Retrieve several (admission, findings, mode) together; the same result as one by one, faster."""
        return [one for workshop, columns in self._pieces(patients) for one in workshop.library.objects(columns)]

    def retrieve_table(self, patients: Sequence[Patient]) -> pl.DataFrame:
        """Retrieve several (admission, findings, mode) as rows of the table ``subgraphs``, without making objects.

        The same rows as `kg.retrieve.table.to_frame` makes of `retrieve_many`, several times as fast.
        """
        frames = [workshop.library.frame(columns) for workshop, columns in self._pieces(patients)]
        return pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)

    def _pieces(self, patients: Sequence[Patient]) -> Iterator[tuple[Workshop, Columns]]:
        for _, _, mode in patients:
            if mode not in MODES:
                raise InputError(f"unknown mode {mode!r}", remedy=f"take one of {', '.join(MODES)}")
        for begin in range(0, len(patients), _AT_ONCE):
            if len(self._workshop) > _HELD:
                self._workshop = self._opened()
            yield self._workshop, self._workshop.columns(patients[begin : begin + _AT_ONCE])
