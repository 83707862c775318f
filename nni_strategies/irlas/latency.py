"""How long a network takes on the device that runs the trial.

The time of one forward pass in evaluation mode, batch norm folded into the convolutions as a deployment would: the
median of `repeats` passes, with the distance of the quartiles. Where that is more than 5 % of the median something
disturbed the measurement, and it is taken again, up to three times; the steadiest one counts. Measurements on one
machine wait for each other (a file lock); training that goes on beside them still disturbs.

::

    meter = LatencyMeter(input_shape=(3, 32, 32), cache="latencies.json")
    latency = meter.measure(model, key=cell.digest)
    nni.report_final_result({"default": accuracy, "latency_ms": latency.median_ms})
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import json
import logging
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nni_strategies.errors import InvalidArgument

_logger = logging.getLogger(__name__)

STEADY = 0.05  # quartile distance over median up to which a measurement is taken as it is
ATTEMPTS = 3
DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Latency:
    """A measurement.

    Parameters
    ----------
    median_ms, iqr_ms
        Median and distance of the quartiles of one forward pass, in milliseconds.
    attempts
        How often it was taken.
    """

    median_ms: float
    iqr_ms: float
    attempts: int = 1

    @property
    def is_steady(self) -> bool:
        """Whether nothing seems to have disturbed it."""
        return self.iqr_ms <= STEADY * self.median_ms


@dataclass(frozen=True)
class LatencyMeter:
    """Measures networks, all under the same conditions.

    Parameters
    ----------
    device
        ``cpu``, ``cuda`` or ``cuda:1``.
    input_shape
        Of one input, such as ``(3, 32, 32)``.
    batch
        Inputs of a pass.
    warmup, repeats
        Passes before, and passes measured.
    dtype
        ``float32``, ``float16`` or ``bfloat16``.
    channels_last
        Memory format of images.
    compile
        Whether ``torch.compile`` goes over the network first.
    threads
        Of the CPU.
    cache
        A JSON file of what was measured, or None.

    Raises
    ------
    InvalidArgument
        A device that is not there, a number that is none, or a file that holds something else.
    """

    device: str = "cpu"
    input_shape: Sequence[int] = (3, 32, 32)
    batch: int = 1
    warmup: int = 10
    repeats: int = 50
    dtype: str = "float32"
    channels_last: bool = False
    compile: bool = False
    threads: int = 1
    cache: Path | str | None = None

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("warmup", 0), ("repeats", 3), ("threads", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(name, value, f"a whole number from {least}")
        sizes = list(self.input_shape) if isinstance(self.input_shape, (tuple, list)) else []
        if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise InvalidArgument("input_shape", self.input_shape, "sizes of one input, such as (3, 32, 32)")
        if self.dtype not in DTYPES:
            raise InvalidArgument("dtype", self.dtype, f"one of {', '.join(DTYPES)}", DTYPES)
        if self.channels_last and len(sizes) != 3:
            raise InvalidArgument("channels_last", True, "false unless inputs are images (channels, height, width)")
        _check_device(self.device)
        self._stored()

    def measure(self, model: nn.Module, key: str | None = None) -> Latency:
        """Measure a network; a copy of it is, so that its modes, buffers and place stay what they are.

        Parameters
        ----------
        model
            Takes one tensor ``[batch, *input_shape]``.
        key
            What the network is, such as the digest of its topology and its widths; what the cache has for this key,
            these settings and this device is not measured again. None measures anew and stores nothing.
        """
        stored = self._stored().get(self._entry(key)) if key is not None else None
        if stored is not None:
            return Latency(**stored)
        with _alone():
            found = self._measured(model)
            if key is not None:
                self._store(self._entry(key), found)
        return found

    def _measured(self, model: nn.Module) -> Latency:
        inputs = self._inputs()
        ready = self._prepared(model)
        with _threads(self.threads), torch.inference_mode():
            taken = [self._once(ready, inputs)]
            while not taken[-1].is_steady and len(taken) < ATTEMPTS:
                taken.append(self._once(ready, inputs))
        best = min(taken, key=lambda each: each.iqr_ms / each.median_ms)
        if not best.is_steady:
            told = "latency %.3f ms with quartiles %.3f ms apart: something else was running"
            _logger.warning(told, best.median_ms, best.iqr_ms)
        return replace(best, attempts=len(taken))

    def _once(self, ready: Callable[[Tensor], Any], inputs: Tensor) -> Latency:
        return Latency(*_quartiles(self._times(lambda: ready(inputs))))

    def _inputs(self) -> Tensor:
        inputs = torch.randn(self.batch, *self.input_shape, generator=torch.Generator().manual_seed(0))
        inputs = inputs.to(self.device, getattr(torch, self.dtype))
        return inputs.contiguous(memory_format=torch.channels_last) if self.channels_last else inputs

    def _prepared(self, model: nn.Module) -> Callable[[Tensor], Any]:
        ready = folded(copy.deepcopy(model).eval()).to(self.device, getattr(torch, self.dtype))
        if self.channels_last:
            ready = ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own example
        return torch.compile(ready) if self.compile else ready

    def _times(self, run: Callable[[], Any]) -> list[float]:
        """Return the milliseconds of each pass."""
        if self.device == "cpu":
            self._warm_up(run)
            return _cpu_times(run, self.repeats)
        with torch.cuda.device(self.device):  # events are of the current one
            self._warm_up(run)
            return _gpu_times(run, self.repeats)

    def _warm_up(self, run: Callable[[], Any]) -> None:
        for _ in range(self.warmup):
            run()

    # -- cache ------------------------------------------------------------------------------------

    def _entry(self, key: str) -> str:
        settings = [list(self.input_shape), self.batch, self.dtype, self.channels_last, self.compile, self.threads]
        return f"{device_name(self.device)} | torch {torch.__version__} | {json.dumps(settings)} | {key}"

    def _stored(self) -> dict[str, Any]:
        if self.cache is None or not Path(self.cache).exists():
            return {}
        try:
            found = json.loads(Path(self.cache).read_text())
            return {entry: asdict(Latency(**each)) for entry, each in found.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InvalidArgument("cache", str(self.cache), "a JSON file that LatencyMeter wrote") from error

    def _store(self, entry: str, found: Latency) -> None:
        if self.cache is None:
            return
        path = Path(self.cache)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**self._stored(), entry: asdict(found)}, indent=1)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_text(text)
        os.replace(partial, path)


def folded(model: nn.Module) -> nn.Module:
    """Return a network in evaluation mode with batch norms folded into convolutions; itself where that fails."""
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(model)
    except Exception as error:  # whatever a forward does with values that are not there
        if any(isinstance(module, _BatchNorm) for module in model.modules()):
            _logger.warning("batch norms stay unfolded, the latency is not that of a deployment: %s", error)
        return model


def device_name(device: str) -> str:
    """Return the name of a device's hardware."""
    if device != "cpu":
        return str(torch.cuda.get_device_name(device))
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _check_device(device: Any) -> None:
    allowed = "cpu, or cuda where there is a GPU"
    try:
        kind = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InvalidArgument("device", device, allowed) from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not isinstance(device, str) or (device != "cpu" and (kind.type != "cuda" or (kind.index or 0) >= count)):
        raise InvalidArgument("device", device, allowed)


def _cpu_times(run: Callable[[], Any], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def _gpu_times(run: Callable[[], Any], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(float(start.elapsed_time(end)))
    return times


def _quartiles(times: Sequence[float]) -> tuple[float, float]:
    """Return the median and the distance of the quartiles, by linear interpolation."""
    ordered = sorted(times)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))

    return at(0.5), at(0.75) - at(0.25)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process of this user measures."""
    path = Path(tempfile.gettempdir()) / f"nni_strategies-latency-{os.getuid()}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
