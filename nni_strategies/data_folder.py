"""Where benchmark tables and data sets are looked for."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NNI_STRATEGIES_DATA"


def data_folder() -> Path:
    """Return the folder of the data: ``$NNI_STRATEGIES_DATA``, else ``../shared/data`` beside the checkout."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
