"""What EM learns about a hidden Markov model, and what its E-step hands to its M-step."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(eq=False)
class HiddenMarkovParams:
    """Params of a hidden Markov model.

    Attributes
    ----------
    chain
        Of the hidden path: :class:`MarkovParams` (``startprob``, ``transmat``), or what another chain has.
    emission
        Of the observations given the state: what the family has, one distribution for each state.
    """

    chain: Any
    emission: Any


@attrs.frozen(eq=False)
class HiddenMarkovStatistics:
    """Expected statistics of paths and of observations; of plain chains and families they add over sequences.

    Attributes
    ----------
    chain
    emission
    """

    chain: Any
    emission: Any
