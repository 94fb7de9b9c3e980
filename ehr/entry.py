"""How a command ends: what went wrong as one line on standard error, and an exit code.

0 done, 1 failed, 2 bad input or usage, 130 interrupted.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from ehr.errors import ClinRaGenError
from ehr.files import as_input_error

_INTERRUPTED = "interrupted; the same command goes on where it stopped"


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(" ".join(message.split()) + "\n")
    raise SystemExit(code)


def start(application: Callable[..., object], name: str) -> None:
    """Run a command-line application under its name; every error becomes one line and an exit code."""
    warnings.filterwarnings("ignore", message=".*torch.jit.*")  # torch-geometric's own imports
    try:
        application(prog_name=name)
    except ClinRaGenError as error:
        _fail(f"{name}: {error}", error.exit_code)
    except KeyboardInterrupt:
        _fail(f"{name}: {_INTERRUPTED}", 130)
    except SystemExit as done:
        if done.code == 130:
            _fail(f"{name}: {_INTERRUPTED}", 130)
        raise
    except OSError as error:
        mended = as_input_error(error)
        if mended is None:
            raise
        _fail(f"{name}: {mended}", 2)
