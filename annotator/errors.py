"""The errors of the person-in-the-loop part: each is one line that names the file, the place, found and wanted."""

from __future__ import annotations

from db.errors import TaffrailError


class AnnotatorError(TaffrailError):
    """A problem of exporting, reading or importing a review."""


class LabelmeError(AnnotatorError):
    """A labelme file cannot be used as it stands."""


class ExportError(AnnotatorError):
    """A review folder cannot be written."""


class AmbiguousEdit(AnnotatorError):
    """What a person left in an image says two things at once."""


class ImportRefused(AnnotatorError):
    """A review folder as a whole cannot be imported."""
