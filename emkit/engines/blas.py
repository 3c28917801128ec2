"""One BLAS thread for each worker.

Several workers that each call a BLAS of several threads are slower than one, and BLAS under concurrent calls has given
wrong results (numpy issue 29391) and crashed (scipy issue 24009).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from emkit.errors import EmkitWarning

#: Any of these set to 1 limits the BLAS that numpy and scipy were built with, if set before they are imported.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _nothing() -> None:
    pass


@contextmanager
def one_blas_thread() -> Iterator[Callable[[], object]]:
    """Limit BLAS to one thread, and yield a function that every worker thread calls when it begins.

    A BLAS that is built on OpenMP counts threads separately for each thread that calls it.
    """
    try:
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - optional
    except ImportError:
        _warn_unless_limited()
        yield _nothing
        return
    controller = ThreadpoolController()
    with controller.limit(limits=1):
        yield lambda: controller.limit(limits=1)


def _warn_unless_limited() -> None:
    if (os.cpu_count() or 1) == 1 or any(os.environ.get(name) == "1" for name in VARIABLES):
        return
    msg = (
        "E-steps run on several threads, and each of them may start BLAS threads of its own. Install threadpoolctl "
        '(`python -m pip install "emkit[threads]"`), or set OMP_NUM_THREADS=1 before Python starts.'
    )
    warnings.warn(msg, EmkitWarning, stacklevel=2)
