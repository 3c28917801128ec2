"""Speed and memory against the packages people use, side by side in one run.

    python -m pip install ".[benchmark]" && python benchmarks/compare.py

One thread each; the packages take turns, and the ratio of medians counts, because machines are noisy. Memory is the
peak of what a fit allocates, as a share of the data's own size. The tables go to `benchmarks/results.md`. Name a
section to run only that and leave the file alone.
"""

from __future__ import annotations

import os

# One thread each: it must be said before numpy loads its BLAS.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import platform
from pathlib import Path

import incomplete
import mixtures
import numpy as np
import sequences
import sklearn

import emkit

RESULTS = Path(__file__).with_name("results.md")
SECTIONS = {"mixtures": mixtures.tables, "incomplete": incomplete.tables, "sequences": sequences.tables}


def main() -> int:
    """Print the tables, write them, and return 1 if a ratio wanted was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", nargs="?", choices=sorted(SECTIONS))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    lines = [
        "# Against other packages",
        "",
        f"emkit {emkit.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}, one thread. Made by `python benchmarks/compare.py`.",
        "",
    ]
    reached = True
    for name in [arguments.section] if arguments.section else SECTIONS:
        for table in SECTIONS[name](arguments.repeats):
            reached &= table.reached
            lines += table.lines()
    lines += ["Memory is the peak of what a fit allocates, relative to the data's own size."]
    if not arguments.section:
        RESULTS.write_text("\n".join(lines) + "\n")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
