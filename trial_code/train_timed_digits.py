"""One trial of `experiments/irlas_digits`: a cell on 8x8 digits as in the quick start, its latency measured with care.

Runs under NNI (``python3 train_timed_digits.py``) and by itself::

    python3 train_timed_digits.py '{"cell.edge_0_1": "nor_conv_3x3", ...}'

Reports the validation accuracy after every epoch, at the end also ``latency_ms`` (one image, one thread, batch norm
folded, :class:`~nni_strategies.irlas.latency.LatencyMeter`) with the distance of its quartiles, ``latency_iqr_ms``,
and ``params`` and ``madds``.
"""

from __future__ import annotations

import torch

from nni_strategies.irlas.latency import LatencyMeter
from search_spaces.digits_cell import INPUT_SHAPE
from trial_code.command_line import bad_input_ends
from trial_code.measure import count
from trial_code.train_digits import asked_for, report, trained


def main() -> None:
    """Train the network of the next parameters, measure it and report."""
    network, accuracy = trained(asked_for())
    latency = LatencyMeter(input_shape=INPUT_SHAPE).measure(network)
    with torch.no_grad():
        params, madds = count(network.eval(), torch.zeros(1, *INPUT_SHAPE))
    report(
        {
            "default": accuracy,
            "accuracy": accuracy,
            "latency_ms": latency.median_ms,
            "latency_iqr_ms": latency.iqr_ms,
            "params": params,
            "madds": madds,
        }
    )


if __name__ == "__main__":
    with bad_input_ends():
        main()
