"""What every tuner of this package needs of NNI 3.0: nothing of it is raised under a manager, where it would hang.

What is refused before a search begins is kept, and reported through the dispatcher when NNI asks for parameters: the
experiment's status becomes ``ERROR`` with the reason. What goes wrong later, in a call that NNI makes, is logged once
and counted. Without a manager (benchmarks, users' tests) everything is raised.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from nni.tuner import Tuner

from nni_strategies.bridge.dispatcher import Dispatcher, speak_on_stderr, watch_parent
from nni_strategies.errors import NNIStrategiesError

_logger = logging.getLogger(__name__)

_Method = TypeVar("_Method", bound=Callable[..., Any])


def never_raises(method: _Method) -> _Method:
    """Under NNI log the first of a method's failures, count all, raise none; for methods of a :class:`GuardedTuner`."""

    @functools.wraps(method)
    def guarded(self: GuardedTuner, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if self._dispatcher is None:
                raise
            self.counts[method.__name__] += 1
            if self.counts[method.__name__] == 1:
                _logger.exception("%s failed (%r); the search goes on", method.__name__, error)
            return None

    return cast("_Method", guarded)


def reporter(kwargs: Mapping[str, Any]) -> Callable[[str], None] | None:
    """Return what ends the experiment with a reason, from what NNI's dispatcher passes to a tuner; None without one."""
    report = getattr(getattr(kwargs.get("st_callback"), "__self__", None), "report_error", None)
    return cast("Callable[[str], None] | None", report)


class GuardedTuner(Tuner):  # type: ignore[misc]  # NNI has no types
    """A tuner that knows whether NNI runs it.

    A subclass sets what its ``_let_go`` looks at before it calls this constructor.

    Attributes
    ----------
    counts
        What went wrong so far, such as failures of a method by its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self._dispatcher = Dispatcher.current()
        self._refusal: NNIStrategiesError | None = None
        self._lock = threading.RLock()
        if self._dispatcher is not None:
            speak_on_stderr()
            watch_parent(self._let_go)

    def _let_go(self) -> None:
        """Let go of the journal: the manager is gone."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """Under NNI, keep what was refused until it can be reported; elsewhere let it through."""
        try:
            yield
        except Exception as error:
            if self._dispatcher is None:
                raise
            if not isinstance(error, NNIStrategiesError):
                _logger.exception("%s cannot start", type(self).__name__)
                error = NNIStrategiesError(repr(error))
            self._refusal = error

    def _give_up(self, error: Exception, report: Callable[[str], None], more: str = "") -> None:
        """End the experiment with status ERROR and a reason, where the user looks."""
        message = str(error) if isinstance(error, NNIStrategiesError) else repr(error)
        text = f"{type(self).__name__} cannot go on: {message}{more}"
        _logger.error(text, exc_info=not isinstance(error, NNIStrategiesError))
        report(text)
