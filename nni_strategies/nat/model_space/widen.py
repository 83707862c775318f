"""Cell spaces of NNI's hub with a null besides: NAT removes connections, and those spaces have none to put there."""

from __future__ import annotations

from typing import Any

from nni.nas.hub.pytorch.nasnet import NDS, OPS

from nni_strategies.errors import InvalidArgument


def widened(model_space: Any, operation: str) -> NDS:
    """Return a cell space like another, with one operation more; samples of that one are samples of it.

    Parameters
    ----------
    model_space
        One of NNI's hub that is built of ``NDS``: DARTS, ENAS, NASNet, AmoebaNet, PNAS.
    operation
        One of NNI's, such as ``none``.

    Raises
    ------
    InvalidArgument
        A space of another kind, or no operation of NNI's.
    """
    if not isinstance(model_space, NDS):
        allowed = "a cell space of NNI's hub (DARTS, ENAS, NASNet, …); others are widened where they are written"
        raise InvalidArgument("widen", type(model_space).__name__, allowed)
    if operation not in OPS:
        raise InvalidArgument("widen", operation, f"one of {', '.join(OPS)}", OPS)
    operations = list(model_space.op_candidates)
    return NDS(
        operations if operation in operations else [*operations, operation],
        model_space.merge_op,
        model_space.num_nodes_per_cell,
        model_space.width,
        # of depths to choose from the hub's spaces keep the choice
        getattr(model_space.num_cells, "values", model_space.num_cells),
        model_space.dataset,
        model_space.auxiliary_loss,
        model_space.drop_path_prob,
    )

