"""One graph of the three licensed terminologies, from samples made here."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from kg.build import build
from kg.bundle import Bundle
from kg.validate import validate
from tests.kg import rxnorm_files as rxnorm
from tests.kg import snomed_files as snomed
from tests.kg import umls_files as umls
from tests.kg.rrf_files import write


def test_the_three_terminologies_make_one_sound_graph(tmp_path: Path) -> None:
    sources = [
        f"rxnorm:{write(tmp_path / 'rrf', rxnorm.FILES)}?name=rxnorm",
        f"snomed:{write(tmp_path / 'Snapshot', snomed.FILES)}?name=snomed",
        f"umls:{write(tmp_path / 'META', umls.FILES)}?name=umls",
    ]
    bundle = tmp_path / "graph"
    report = build(sources, bundle)
    assert validate(bundle) == []
    assert [source.status for source in report.sources] == ["loaded"] * 3
    graph = Bundle.open(bundle)
    cold = graph.concept(f"SNOMEDCT_US:{snomed.COLD}")
    assert cold is not None and cold.name == "Sniffle disease"
    evidence = graph.evidence.filter(pl.col("note") == "SAB HPO; has_manifestation").collect()
    assert evidence.height == 1
    assert evidence["source"].to_list() == ["umls"] and evidence["version"].to_list() == ["2099AA"]
    assert evidence["subject_as_written"].to_list() == [umls.COLD]
    assert build(sources, bundle).unchanged
