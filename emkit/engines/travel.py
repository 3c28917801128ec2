"""What cannot be sent to another process, and what to do about it."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from typing import Any

from emkit import tree

#: How pickle refuses an object.
REFUSALS = (pickle.PicklingError, AttributeError, TypeError)
#: How deep parts of parts are looked into.
DEEPEST = 12
ADVICE = (
    "Classes and functions defined in a notebook, in a script that runs, inside a function or by lambda cannot. Define "
    "them in a module that can be imported, or use threads: emkit.fit(..., engine=-1), which is emkit.ThreadEngine()."
)


def parts(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Return what a partial function brings along: the model first."""
    return getattr(function, "args", (getattr(function, "model", function),))


def require_can_travel(function: Callable[..., Any]) -> None:
    """Raise TypeError if the standard library's pickle, which its process pools use, cannot take the model."""
    try:
        pickle.dumps(function)
    except REFUSALS as error:
        msg = f"{cannot_travel(function)}{_at_fault(parts(function))} pickle says: {error}"
        raise TypeError(msg) from error


def cannot_travel(function: Callable[..., Any]) -> str:
    """Return the sentence about a model that other processes do not get."""
    return (
        f"{type(parts(function)[0]).__name__} or its params cannot be sent to another process, or something that they "
        f"are fitted with cannot. {ADVICE}"
    )


def require_was_sent(function: Callable[..., Any], item: Any, error: Exception) -> None:
    """Raise TypeError if what a worker's task ended with is pickle's refusal of its data or of its answer."""
    fault = _at_fault(item)
    if fault:
        msg = f"The data cannot be sent to another process. {ADVICE}{fault} pickle says: {error}"
        raise TypeError(msg) from error
    if isinstance(error, pickle.PicklingError) or "pickle" in str(error):
        name = type(parts(function)[0]).__name__
        msg = f"What {name} gave cannot be sent back from another process. {ADVICE} pickle says: {error}"
        raise TypeError(msg) from error


def _at_fault(node: Any) -> str:
    """Return a sentence about the smallest part that pickle refuses; empty if it takes all."""
    if _can_travel(node):
        return ""
    name = ""
    for _ in range(DEEPEST):
        found = next(((name, part) for name, part in _named_parts(node) if not _can_travel(part)), None)
        if found is None:
            break
        # Positions in the work of one worker say nothing to people; names of fields do.
        name, node = (found[0] if isinstance(found[0], str) else name), found[1]
    return f" At fault{f' in {name}' if name else ''}: {node!r}."


def _can_travel(node: Any) -> bool:
    try:
        pickle.dumps(node)
    except REFUSALS:
        return False
    return True


def _named_parts(node: Any) -> list[tuple[str | int, Any]]:
    if isinstance(node, functools.partial):
        return [*enumerate(node.args), *node.keywords.items()]
    return tree.children(node) or list(getattr(node, "__dict__", {}).items())
