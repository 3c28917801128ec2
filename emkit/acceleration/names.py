"""The accelerators that have a name."""

from __future__ import annotations

from emkit.acceleration.anderson import Anderson
from emkit.acceleration.automatic import Automatic
from emkit.acceleration.base import Accelerator
from emkit.acceleration.quasi_newton import QuasiNewton
from emkit.acceleration.squarem import Squarem

_BY_NAME: dict[str, Accelerator] = {
    "auto": Automatic(),
    "anderson": Anderson(),
    "quasi_newton": QuasiNewton(),
    "squarem": Squarem(),
}


def as_accelerator(accelerate: str | Accelerator | None) -> Accelerator | None:
    """Return the accelerator of a name, or the object itself."""
    if accelerate is None or isinstance(accelerate, Accelerator):
        return accelerate
    if not isinstance(accelerate, str) or accelerate not in _BY_NAME:
        kind: object = accelerate
        hint = f" It is a class: write {kind.__name__}()." if isinstance(kind, type) else ""
        msg = f"accelerate must be None, an Accelerator, or one of {sorted(_BY_NAME)}; it is {accelerate!r}.{hint}"
        raise ValueError(msg)
    return _BY_NAME[accelerate]
