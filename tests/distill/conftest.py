"""Fixtures of the tests of training: a tiny graph, cohort and finished run, made once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ehr.progress import set_quiet
from tests.distill.tiny_cohort import tiny_bundle, tiny_cohort


@contextmanager
def one_thread() -> Iterator[None]:
    """Train on one thread: equal bytes are promised at an equal number of threads, and tests compare processes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
    with one_thread():
        return run(cohort, bundle, tmp_path_factory.mktemp("run") / "run", tiny_config())
