"""Makes a folded Keras model a network of a chosen runtime."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from db.domain.runtimes import Runtime
from db.one_line import first_line
from worker.inference.runtimes.keras_network import KerasNetwork
from worker.inference.runtimes.network import Given, Network, Outputs, RuntimeMissing

if TYPE_CHECKING:
    import keras

_log = logging.getLogger("taffrail.worker")


@dataclass(frozen=True)
class ServedBy:
    """A runtime, and the folder where what was converted for this model version is kept (not needed by Keras)."""

    runtime: Runtime
    prepared: Path


BY_KERAS = ServedBy(Runtime.KERAS, Path())


def compile_network(model: keras.Model, runtime: Runtime, *, prepared: Path) -> Network:
    """Return a folded Keras model as a network of this runtime, which falls back to Keras if it ever fails.

    prepared: the folder where converted graphs of this very model are kept.
    Raises:
        RuntimeMissing: the runtime is not installed, or int8 was not calibrated for this model.
    """
    if runtime is Runtime.KERAS:
        return KerasNetwork(model)
    if runtime is Runtime.KERAS_BF16:
        return WithFallback(KerasNetwork(model, runtime=runtime), lambda: KerasNetwork(model))
    try:
        from worker.inference.runtimes.openvino_network import OpenVinoNetwork

        fast = OpenVinoNetwork(model, runtime, prepared=prepared)
    except ImportError as error:
        raise RuntimeMissing(f"runtime {runtime}: {error.name} is not installed; install the extra openvino") from None
    except RuntimeMissing:
        raise
    except Exception as error:  # foreign code: a processor that it does not know, a library that does not load
        raise RuntimeMissing(f"runtime {runtime} does not start: {first_line(error)}") from error
    return WithFallback(fast, lambda: KerasNetwork(model))


class WithFallback:
    """A network that is served by Keras from the first failure of its own runtime on; the log says so in one line."""

    def __init__(self, fast: Network, reference: Callable[[], Network]) -> None:
        self._network = fast
        self._reference = reference
        self.runtime = fast.runtime

    def __call__(self, batch: Given) -> Outputs:
        """Return every output by name."""
        try:
            return self._network(batch)
        except Exception as error:  # a runtime is foreign code and may raise anything; Keras is the reference
            if self.runtime is Runtime.KERAS:
                raise
            reason = (str(error).strip().splitlines() or [""])[0][:200]
            _log.warning("runtime %s failed (%s: %s); going on with keras", self.runtime, type(error).__name__, reason)
            self._network = self._reference()
            self.runtime = Runtime.KERAS
            return self._network(batch)
