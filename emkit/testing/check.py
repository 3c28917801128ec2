"""Holding a model to all the laws at once."""

from __future__ import annotations

from typing import Any

import attrs

from emkit.testing.laws import LAWS, DoesNotApply


@attrs.frozen
class Report:
    """Which laws were checked.

    Attributes
    ----------
    kept : tuple of str
    broken : dict of str to str
        What each broken law says.
    not_applicable : tuple of str
    """

    kept: tuple[str, ...]
    broken: dict[str, str]
    not_applicable: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"kept     {_sentence(name)}" for name in self.kept]
        lines += [f"n/a      {_sentence(name)}" for name in self.not_applicable]
        told: set[str] = set()
        for name, why in self.broken.items():
            lines.append(f"BROKEN   {_sentence(name)}: {'the same' if why in told else why}")
            told.add(why)
        return "\n".join(lines)


def _sentence(name: str) -> str:
    return name.replace("_", " ")


def survey(model: Any, data: Any, params: Any = None) -> Report:
    """Return which laws a model keeps, without raising."""
    kept, broken, absent = [], {}, []
    for law in LAWS:
        try:
            law(model, data, params)
        except DoesNotApply:
            absent.append(law.__name__)
        except Exception as error:  # whatever a law meets is its finding
            broken[law.__name__] = str(error) or type(error).__name__
        else:
            kept.append(law.__name__)
    return Report(tuple(kept), broken, tuple(absent))


def check_model(model: Any, data: Any, params: Any = None) -> Report:
    """Hold a model to every law that applies.

    Parameters
    ----------
    model : object with ``e_step`` and ``m_step``
    data : tree of arrays
    params : optional
        Starting params, for models without ``initialize``.

    Returns
    -------
    Report
        The laws kept, and those about capabilities which the model lacks.

    Raises
    ------
    AssertionError
        If any law is broken; the message says which and by how much.
    """
    report = survey(model, data, params)
    if report.broken:
        msg = f"{type(model).__name__} breaks {len(report.broken)} of {len(LAWS)} laws.\n{report}"
        raise AssertionError(msg)
    return report
