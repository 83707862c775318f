"""What a network does in one dry run: every torch function and module call is noted with the tensors it reads.

It follows any code that runs. Weights are replaced by tensors without storage (``meta``) where the code allows it, so
that nothing is computed; otherwise the network itself runs, in evaluation mode and without gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.module_modes import evaluating
from nni_strategies.topology.function_operations import carries_data, function_name, operation_of_call
from nni_strategies.topology.module_operations import operation_of
from nni_strategies.topology.trace import Trace, data_in
from nni_strategies.topology.vocabulary import IDENTITY, other

_META = "meta"


def recorded(model: nn.Module, example_input: Any) -> Trace:
    """Return what a network does, by running it once.

    Parameters
    ----------
    example_input
        What its forward takes: a tensor, a tuple of arguments or a dictionary of named ones. Its values do not matter.

    Raises
    ------
    TopologyUnreadable
        A forward that fails.
    """
    try:
        return _run(model, example_input, _META)
    except Exception:  # code that makes tensors of its own, or looks at values
        pass
    try:
        return _run(model, example_input, None)
    except Exception as error:  # whatever the user's forward does
        reason = str(error).split("\n")[0]
        raise TopologyUnreadable(f"{type(model).__name__}: its forward fails on the example input: {reason}") from error


def _run(model: nn.Module, example_input: Any, device: str | None) -> Trace:
    inputs = example_input if isinstance(example_input, (tuple, dict)) else (example_input,)
    inputs = tree_map_only(Tensor, lambda t: t.to(device) if device else t.clone(), inputs)
    args, kwargs = ((), inputs) if isinstance(inputs, dict) else (inputs, {})
    recorder = _Recorder()
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())} if device else {}
    # random numbers that the forward draws are not taken from whoever comes next
    looked_at = recorder.watching(model, inputs)
    with evaluating(model.modules()), torch.no_grad(), torch.random.fork_rng(devices=()), looked_at:
        swapped = {name: weight.to(device) for name, weight in weights.items()}
        with recorder:
            output = torch.func.functional_call(model, swapped, args, kwargs)
    recorder.trace.outputs = tuple(dict.fromkeys(data_in(tree_leaves(output), recorder.number_of)))
    return recorder.trace


class _Recorder(TorchFunctionMode):
    """Notes calls; tensors are known by identity, and kept, so that no two share one."""

    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace()
        self.number_of: dict[int, int] = {}
        self._kept: list[Tensor] = []
        self._leaf: nn.Module | None = None  # within an operation nothing is noted

    def watching(self, model: nn.Module, inputs: Any) -> _Watch:
        """Return a context in which the modules of `model` are noted."""
        self._note(inputs, 0)
        return _Watch(self, model)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        reads = data_in([args, kwargs or {}], self.number_of) if self._leaf is None else []
        if reads:
            self._function(function_name(func), args, kwargs or {}, reads, result)
        return result

    def _function(self, name: str, args: Any, kwargs: Any, reads: list[int], result: Any) -> None:
        if name == "setitem":
            self._note(args[0], self.trace.step(other(name), reads, self.trace.call))
        elif any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)) and carries_data(name, args):
            operation = operation_of_call(name, args, kwargs, len(reads))
            self._result(operation, reads, (args, kwargs), result)

    def enter(self, path: str, module: nn.Module) -> None:
        """Note that a module's call begins."""
        if self._leaf is None:
            self.trace.enter(path, type(module).__name__)
            if operation_of(module) is not None:
                self._leaf = module

    def leave(self, module: nn.Module, arguments: Any, result: Any) -> None:
        """Note that a module's call ends; one that is an operation is a step."""
        if self._leaf is module:
            self._leaf = None
            reads = data_in(arguments, self.number_of)
            if reads:
                self._result(operation_of(module) or "", reads, arguments, result)
        if self._leaf is None:
            self.trace.leave()

    def _result(self, operation: str, reads: list[int], arguments: Any, result: Any) -> None:
        given = {id(leaf) for leaf in tree_leaves(arguments)}
        if operation == IDENTITY and all(id(leaf) in given for leaf in tree_leaves(result)):
            return  # the very tensor it got, so whoever reads it reads what the operation read
        self._note(result, self.trace.step(operation, reads, self.trace.call))

    def _note(self, tensors: Any, number: int) -> None:
        for leaf in tree_leaves(tensors):
            if isinstance(leaf, Tensor):
                self.number_of[id(leaf)] = number
                self._kept.append(leaf)


class _Watch:
    """Hooks on all modules while it lasts."""

    def __init__(self, recorder: _Recorder, model: nn.Module) -> None:
        self.recorder, self.model = recorder, model
        self.handles: list[Any] = []

    def __enter__(self) -> None:
        for path, module in self.model.named_modules():
            before, after = self._hooks(path)
            self.handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            self.handles.append(module.register_forward_hook(after, with_kwargs=True))

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _hooks(self, path: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.recorder.enter(path, module)

        def after(module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            self.recorder.leave(module, [args, kwargs], result)

        return before, after
