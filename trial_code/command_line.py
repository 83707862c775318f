"""How programs end when they are given something wrong: one line on stderr, exit code 2, no traceback."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nni_strategies.errors import NNIStrategiesError

BAD_INPUT = 2
MOST_THREADS = 1024  # of torch, which crashes where the system cannot start so many


@contextmanager
def bad_input_ends() -> Iterator[None]:
    """End the program for what this package raises on purpose; anything else passes."""
    try:
        yield
    except NNIStrategiesError as error:
        print("error:", re.sub(r"\s+", " ", str(error)), file=sys.stderr)
        sys.exit(BAD_INPUT)
