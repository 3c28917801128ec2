"""Saving and loading trees of arrays without pickle: a file is data and reading it runs nothing it names.

The layout is that of safetensors, so any tool for it can show the arrays: eight bytes with the length of the
header (little-endian), a header in JSON, raw arrays. The header's ``__metadata__`` says how the arrays hang
together and carries a SHA-256 over every other byte of the file. The hash finds damage, not forgery: what it
covers is still checked as if a stranger had written it.
"""

from emkit.storage.files import check, peek, read, sweep, write
from emkit.storage.structure import known_types

__all__ = ["check", "known_types", "peek", "read", "sweep", "write"]
