"""Faces whose ``n_features`` is the number of columns of the data, as in hmmlearn."""

from __future__ import annotations

from typing import Any

from emkit.arrays import whole_number
from emkit_hmm.faces.base import Array, HiddenMarkovFace


class ColumnsFace(HiddenMarkovFace):
    """Base of all faces but :class:`CategoricalHMM`, where ``n_features`` is a parameter, the number of symbols."""

    @property
    def n_features(self) -> int:
        """How many columns data have: as fitted, or as attributes set by hand have it."""
        told = self._n_columns()
        if told is not None:
            return told
        msg = "n_features is not known before fit, unless attributes are set by hand."
        raise AttributeError(msg)

    @n_features.setter
    def n_features(self, value: Any) -> None:
        self._declared_n_features = whole_number(value, "n_features")

    def _check_columns(self, x: Array) -> None:
        declared = getattr(self, "_declared_n_features", x.shape[1])
        if declared != x.shape[1]:
            msg = f"X has {x.shape[1]} features, but n_features was set to {declared}."
            raise ValueError(msg)
        super()._check_columns(x)
