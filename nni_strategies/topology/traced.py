"""What torch.fx sees of a network: no data is needed, but the code must not depend on them.

NNI's layers are defined outside torch.nn, so which modules are leaves is decided by what they are, not by where they
come from. Code that asks a tensor for its values or sizes in a condition cannot be traced (NNI's NAS-Bench-101 cells);
:mod:`.recorded` reads it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import fx, nn

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.module_modes import evaluating
from nni_strategies.topology.function_operations import carries_data, function_name, operation_of_call
from nni_strategies.topology.module_operations import operation_of
from nni_strategies.topology.trace import Trace


def traced(model: nn.Module) -> Trace:
    """Return what a network does, by symbolic tracing in evaluation mode.

    Raises
    ------
    TopologyUnreadable
        Code that torch.fx cannot follow.
    """
    tracer = _Tracer()
    optional = {
        name: parameter.default
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.default is not parameter.empty
    }
    try:
        with evaluating(model.modules()):
            graph = tracer.trace(model, optional or None)
            return _steps(model, tracer, graph)
    except Exception as error:  # whatever the user's forward does with what is no tensor
        reason = str(error).split("\n")[0]
        raise TopologyUnreadable(f"{type(model).__name__}: torch.fx cannot trace it: {reason}") from error


class _Tracer(fx.Tracer):
    """Leaves are the modules that are operations; each node knows the call it was made in."""

    def __init__(self) -> None:
        super().__init__()
        self.noted = Trace()
        self.call_of: dict[fx.Node, int] = {}

    def trace(self, root: Any, concrete_args: Any = None) -> fx.Graph:
        self.noted.enter("", type(root).__name__)
        return super().trace(root, concrete_args)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return operation_of(m) is not None

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self.noted.enter(self.path_of_module(m), type(m).__name__)
        result = super().call_module(m, forward, args, kwargs)
        self.noted.leave()
        return result

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        self.call_of[node] = self.noted.call
        return node


def _steps(model: nn.Module, tracer: _Tracer, graph: fx.Graph) -> Trace:
    trace = tracer.noted
    number: dict[fx.Node, int] = {}
    constants: dict[fx.Node, Any] = {}

    def reads_of(node: fx.Node) -> list[int]:
        found: list[int] = []
        fx.node.map_arg((node.args, node.kwargs), lambda n: found.append(number[n]) if n in number else None)
        return found

    for node in graph.nodes:
        reads = reads_of(node)
        if node.op == "placeholder":
            number[node] = 0
        elif node.op == "get_attr":
            constants[node] = _attribute(model, node.target)
        elif node.op == "output":
            trace.outputs = tuple(dict.fromkeys(reads))
        elif reads:
            operation = _operation(model, node, reads, constants)
            if operation is not None:
                number[node] = trace.step(operation, reads, tracer.call_of[node])
    return trace


def _operation(model: nn.Module, node: fx.Node, reads: list[int], constants: dict[fx.Node, Any]) -> str | None:
    if node.op == "call_module":
        return operation_of(model.get_submodule(str(node.target)))
    name = function_name(node.target)
    args, keywords = fx.node.map_arg((node.args, node.kwargs), lambda n: constants.get(n, n))
    return operation_of_call(name, args, keywords, len(reads)) if carries_data(name, args) else None


def _attribute(model: nn.Module, path: Any) -> Any:
    found: Any = model
    for name in str(path).split("."):
        found = getattr(found, name)
    return found
