"""Stock ``nnictl``, but patient: NNI gives a manager 3 s to start, a tuner 10; too little on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nni_experiment import timeouts

from nni_strategies.bridge.patience import patient_start


@contextmanager
def patience() -> Iterator[None]:
    """Let stock NNI wait in this process, and in the managers that it starts."""
    os.environ.update(timeouts({10: 120}, os.environ))
    with patient_start():
        yield


if __name__ == "__main__":
    from nni.tools.nnictl import nnictl

    with patience():
        nnictl.parse_args()
