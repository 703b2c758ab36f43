"""The errors every package's own errors derive from: one line that a user can act on."""


class TaffrailError(Exception):
    """A problem whose message is one clear line: file, place, what was found, what was wanted."""


class SettingsError(TaffrailError):
    """A setting cannot be used as it stands."""


class DatabaseError(TaffrailError):
    """The database cannot be opened, is locked, or is of another version."""


class NotFoundError(TaffrailError):
    """What was asked for by id or name is not held."""
