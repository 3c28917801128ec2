"""A model at a fixed temperature, seen as a model of its own."""

from __future__ import annotations

from typing import Any

import attrs

from emkit.model import CAPABILITIES, EStep, as_e_step, offers

#: What a model says about its own likelihood, which at another temperature is not the objective.
WITHHELD = frozenset(
    {
        "log_likelihood",
        "score_contributions",
        "posterior",
        "sample",
        "simulate",
        "sample_e_step",
        "escape",
        "temperature",
    }
)
OPTIONAL = frozenset(capability.name for capability in CAPABILITIES)


@attrs.frozen
class Tempered:
    """A model whose E-step is taken at one temperature; all else it can do is the model's own.

    Plain EM on it climbs

        temperature * sum over observations n of log(sum over z of p(x_n, z) ** (1 / temperature)) + log_prior

    and like any EM never falls. ``complete_score`` is passed on too: Fisher's identity holds under the tempered
    posterior, for the tempered objective.
    """

    model: Any
    temperature: float

    def e_step(self, params: Any, data: Any) -> EStep[Any]:
        """Return expectations under the tempered posterior, and the tempered log-likelihood."""
        return as_e_step(self.model, self.model.e_step(params, data, temperature=self.temperature))

    def m_step(self, params: Any, statistics: Any) -> Any:
        """Return the model's own M-step."""
        return self.model.m_step(params, statistics)

    @property
    def objective_name(self) -> str:
        """What is climbed."""
        return f"{getattr(self.model, 'objective_name', 'log-likelihood')} at temperature {self.temperature:.4g}"

    def __getattr__(self, name: str) -> Any:
        """Pass on what the model offers, and no default that only raises."""
        # Python asks for dunders of half-made copies too, before there is a model.
        if name.startswith("__") or name in WITHHELD or (name in OPTIONAL and not offers(self.model, name)):
            raise AttributeError(name)
        return getattr(self.model, name)
