"""Every reader under the fuzzer for a while: `make soak`.

FUZZ_SECONDS says how long a format is fuzzed (60), FUZZ_DIR where inputs that break a reader are left.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kg.samples import SAMPLES

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None,
        reason="atheris is not installed (dependency group soak; it has no wheel for every Python and platform)",
    ),
]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


@pytest.mark.parametrize("format_", SAMPLES)
def test_nothing_that_the_fuzzer_makes_breaks_a_reader(tmp_path: Path, format_: str) -> None:
    found = Path(os.environ.get("FUZZ_DIR") or tmp_path).resolve()
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.glob(f"{format_}-*"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.fuzz_readers", format_, "--seconds", str(SECONDS), "--out", str(found)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS * 2 + 300,
        check=False,
    )
    left = sorted(path for path in found.glob(f"{format_}-*") if path not in before)
    left = [path for path in left if not path.name.startswith(f"{format_}-slow-unit")]  # below the time limit
    again = f"python -m tests.soak.fuzz_readers {format_} --input {left[0]}" if left else "no input was left"
    assert done.returncode == 0 and not left, f"{again}\n{done.stderr[-4000:]}"
    assert "Done " in done.stderr, done.stderr[-2000:]
