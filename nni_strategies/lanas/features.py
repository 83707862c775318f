"""What a configuration looks like to the splits and to the surrogate.

One row is the space's encoding (one-hot, k-hot, scaled quantiles) followed by histograms: for each group of choices
with the same list of values, how often each value is used. A histogram says "three convolutions in the cell" at once,
where the one-hot columns have to learn it edge by edge. Numbers also enter squared: a good region in the middle of a
range is then one boundary of a linear split, which else could only say "more" or "less".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nni_strategies.space.encoding import Encoder, histograms, value_groups
from nni_strategies.space.parameters import Codes, Numerical, Subset
from nni_strategies.space.search_space import SearchSpace

Matrix = npt.NDArray[np.float32]


class Features:
    """Codes -> feature matrix ``[n, n_encoded + n_counts + n_squares]``.

    Parameters
    ----------
    space
        What is searched.
    histogram
        Whether to add histograms.
    groups
        Lists of labels to be counted together; None finds them by values and labels.
    quadratic
        Whether to add the squares of the scaled quantiles of numbers.

    Raises
    ------
    InvalidArgument
        A declared group names an unknown label or choices of different values.
    """

    def __init__(
        self,
        space: SearchSpace,
        histogram: bool = True,
        groups: Sequence[Sequence[str]] | None = None,
        quadratic: bool = True,
    ) -> None:
        self.space = space
        self._encoder = Encoder(space)
        found = value_groups(space, groups)
        self.groups = found if histogram else ()
        self.names = [f"{label} {what}" for label, what in self._encoder.columns]
        self.n_encoded = len(self.names)
        for group in self.groups:
            self.names += [f"number of {choice} in {group.labels[0]}, …" for choice in group.choices]
        self.count_columns = np.arange(self.n_encoded, len(self.names))
        position = {label: i for i, label in enumerate(space.labels)}
        self.parameter_of_column = np.array([position[label] for label, _ in self._encoder.columns])
        numbers = [position[p.label] for p in space.parameters if isinstance(p, Numerical)]
        self._squared = np.flatnonzero(np.isin(self.parameter_of_column, numbers)) if quadratic else np.arange(0)
        self.names += [f"{self.names[i]} squared" for i in self._squared]

    @property
    def n_columns(self) -> int:
        """Number of feature columns."""
        return len(self.names)

    def transform(self, codes: Codes) -> Matrix:
        """Return the features ``[n, n_columns]`` of codes ``[n, n_codes]``."""
        parts = [self._encoder.transform(codes)]
        if self.groups:
            parts.append(histograms(codes, self.groups))
        if len(self._squared):
            parts.append(np.square(parts[0][:, self._squared]))
        return np.hstack(parts) if len(parts) > 1 else parts[0]

    def distance_scales(self) -> npt.NDArray[np.float64]:
        """Return scales ``[n_encoded]`` that make the squared distance of two values of a choice 0 or 1.

        Subsets are at most 1 apart; a number's squared distance averages 1 over its prior.
        """
        scales = np.empty(self.n_encoded)
        for i, (label, _) in enumerate(self._encoder.columns):
            parameter, most = self.space[label], 2.0
            if isinstance(parameter, Subset):
                most = float(parameter.n_codes if parameter.n_chosen is None else 2 * max(parameter.n_chosen, 1))
            scales[i] = 1.0 / math.sqrt(most)
        return scales
