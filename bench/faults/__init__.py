"""The fault bench: everything that can happen to a run happens to it, and the results must be those of a quiet run."""

from bench.faults import (  # noqa: F401 - fills FAULTS
    broker_faults,
    command_faults,
    image_faults,
    machine_faults,
    site_faults,
    worker_faults,
)
from bench.faults.catalogue import FAULTS, Fault

__all__ = ["FAULTS", "Fault"]
