"""Hidden Markov models over any family of emissions, with the interface of hmmlearn and far more inside.

>>> from emkit import datasets, fit
>>> from emkit.families import Poisson
>>> from emkit_hmm import HiddenMarkovModel
>>> result = fit(HiddenMarkovModel(2, Poisson()), datasets.earthquakes().values, rng=0)
>>> round(-result.log_likelihood, 4)
341.8787
"""

from emkit_hmm.chains.base import Chain
from emkit_hmm.chains.cut import Durations
from emkit_hmm.chains.durations import (
    FreeDurationParams,
    FreeDurations,
    NegativeBinomialDurationParams,
    NegativeBinomialDurations,
    PoissonDurationParams,
    PoissonDurations,
)
from emkit_hmm.chains.logit import Logit, LogitParams
from emkit_hmm.chains.markov import Markov, MarkovParams
from emkit_hmm.chains.pattern import Pattern, left_right
from emkit_hmm.chains.semi_markov import SemiMarkov, SemiMarkovParams
from emkit_hmm.chains.stationary import Stationary, StationaryParams, stationary_distribution
from emkit_hmm.faces.discrete import CategoricalHMM, MultinomialHMM
from emkit_hmm.faces.gaussian import GaussianHMM
from emkit_hmm.faces.general import HMM
from emkit_hmm.faces.mixture import GMMHMM
from emkit_hmm.faces.poisson import PoissonHMM
from emkit_hmm.inference.decoding import k_best, viterbi
from emkit_hmm.inference.filtering import filtered, predicted, predicted_means, predicted_states, smoothed_with_lag
from emkit_hmm.inference.online import OnlineFilter
from emkit_hmm.inference.residuals import PseudoResiduals, pseudo_residuals
from emkit_hmm.inference.sampling import sample_paths
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams, HiddenMarkovStatistics
from emkit_hmm.sequences import Sequence, Sequences
from emkit_hmm.starts import StartingPoint

__all__ = [
    "GMMHMM",
    "HMM",
    "CategoricalHMM",
    "Chain",
    "Durations",
    "FreeDurationParams",
    "FreeDurations",
    "GaussianHMM",
    "HiddenMarkovModel",
    "HiddenMarkovParams",
    "HiddenMarkovStatistics",
    "Logit",
    "LogitParams",
    "Markov",
    "MarkovParams",
    "MultinomialHMM",
    "NegativeBinomialDurationParams",
    "NegativeBinomialDurations",
    "OnlineFilter",
    "Pattern",
    "PoissonDurationParams",
    "PoissonDurations",
    "PoissonHMM",
    "PseudoResiduals",
    "SemiMarkov",
    "SemiMarkovParams",
    "Sequence",
    "Sequences",
    "StartingPoint",
    "Stationary",
    "StationaryParams",
    "filtered",
    "k_best",
    "left_right",
    "predicted",
    "predicted_means",
    "predicted_states",
    "pseudo_residuals",
    "sample_paths",
    "smoothed_with_lag",
    "stationary_distribution",
    "viterbi",
]
