"""What comes in from outside, checked: data, weights and names as float64 arrays, and what users set."""

from emkit.arrays.frames import column_names, feature_names
from emkit.arrays.matrix import as_matrix
from emkit.arrays.numbers import as_array, read_only
from emkit.arrays.scales import column_scales
from emkit.arrays.settings import one_of, share, whole_number
from emkit.arrays.weights import as_sample_weight

__all__ = [
    "as_array",
    "as_matrix",
    "as_sample_weight",
    "column_names",
    "column_scales",
    "feature_names",
    "one_of",
    "read_only",
    "share",
    "whole_number",
]
