"""The errors of the models and their training; each message is one line that a user can act on."""

from db.errors import TaffrailError


class ModelError(TaffrailError):
    """A model cannot be built, read or trained as asked."""


class WeightsError(ModelError):
    """A file of pretrained weights is missing, damaged, or holds something else."""


class UnknownNetwork(ModelError):
    """No trunk, layer or head has this name."""


class ModelFileError(ModelError):
    """A model's file is missing, altered or unreadable."""


class TrainingError(ModelError):
    """The labelled images do not suffice for what was asked."""
