"""Fixtures of the tests of training: a tiny graph, cohort and finished run, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ehr.progress import set_quiet
from tests.distill.tiny_cohort import tiny_bundle, tiny_cohort


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Bundle and cohort."""
    set_quiet(True)
    root: Path = tmp_path_factory.mktemp("tiny")
    return tiny_bundle(root / "graph"), tiny_cohort(root / "cohort")


@pytest.fixture(scope="session")
def tiny_run(tiny_world: tuple, tmp_path_factory: pytest.TempPathFactory):
    """A run with all three stages."""
    from distill.run import run
    from tests.distill.tiny_cohort import tiny_config

    bundle, cohort = tiny_world
    return run(cohort, bundle, tmp_path_factory.mktemp("run") / "run", tiny_config())
