"""LaNAS: a tree of latent actions learned from the results so far proposes what to try next.

Importing this package imports nothing heavy: neither torch nor nni nor scikit-learn.
"""

from __future__ import annotations

from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.searcher import LaNASSearcher

__all__ = ["LaNASConfig", "LaNASSearcher"]
