"""How a transformation sees an NNI model space: its edges, the classes of its operations, and what they cost."""

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni_strategies.nat.model_space.classes import classes_of_modules
from nni_strategies.nat.model_space.costs import MeasuredCosts
from nni_strategies.nat.model_space.sites import ModelEdges, Site, edges_of_model_space

__all__ = ["MeasuredCosts", "ModelEdges", "Site", "classes_of_modules", "edges_of_model_space"]
