"""Tables with gaps that are too short, or too redundant, to determine a covariance."""

from __future__ import annotations

import numpy as np

_ = np.nan

#: Twelve orange juices under eight sensory scores (the data set ``orange`` of R's missMDA).
ORANGE = (
    np.array(
        [
            [115, 127, _, _, _, 68, _, 125],
            [110, 145, 106, 131, 99, 85, 111, 107],
            [113, 128, _, _, 103, 76, 150, 124],
            [158, 144, 178, 100, 162, _, 34, 82],
            [_, 148, 128, 98, _, 105, 82, 106],
            [152, 120, 129, 120, 132, 87, 101, 117],
            [103, 118, 127, 133, 126, _, 31, 104],
            [_, 109, 116, _, 119, 70, 37, 95],
            [106, _, 124, 111, 121, 88, 37, 95],
            [109, 103, _, 139, 105, _, _, 120],
            [98, 123, 94, _, _, _, 176, 126],
            [156, 141, 147, 117, 127, 100, 36, 84],
        ]
    )
    / 24
)
