"""How well the data determine an estimate: derivatives of the log-likelihood (plus log-prior) at the params."""

from emkit.information.observed import (
    Verification,
    confidence_intervals,
    covariance,
    observed_information,
    standard_errors,
    verify,
)

__all__ = [
    "Verification",
    "confidence_intervals",
    "covariance",
    "observed_information",
    "standard_errors",
    "verify",
]
