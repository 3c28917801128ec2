"""How well the data determine an estimate: derivatives of the log-likelihood (plus log-prior) at the params."""

from emkit.information.bootstrap import Bootstrap, bootstrap
from emkit.information.observed import ObservedInformation, observed_information
from emkit.information.score import offers_score, score
from emkit.information.transformed import Delta, delta
from emkit.information.variance import confidence_intervals, covariance, standard_errors
from emkit.information.verification import Bound, Verification, verify

__all__ = [
    "Bootstrap",
    "Bound",
    "Delta",
    "ObservedInformation",
    "Verification",
    "bootstrap",
    "confidence_intervals",
    "covariance",
    "delta",
    "observed_information",
    "offers_score",
    "score",
    "standard_errors",
    "verify",
]
