"""The settings: `TAFFRAIL_*` variables, else `.env` or `settings.toml` in HOME, else defaults that need nothing."""

from __future__ import annotations

import os
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from db.domain.runtimes import Runtime
from db.domain.species import DEFAULT_LABEL_SET, LabelSet
from db.errors import SettingsError
from db.settings_file import NAME, VARIABLE, named_settings_file, read_settings_file
from db.urls import check_broker_url, checked_database_url

_DEFAULT_HOME = "~/.taffrail"
_CRON_FIELDS = 5
# What the settings file says, while the settings of this process are read; a Settings made elsewhere reads no file.
_of_file: ContextVar[dict[str, object]] = ContextVar("settings of the file")


class Settings(BaseSettings):
    """Everything that a deployment may choose; URLs are secret because they may hold passwords."""

    model_config = SettingsConfigDict(
        env_prefix="TAFFRAIL_", env_file=None, env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(default=Path(_DEFAULT_HOME), description="Folder of the database, crops and models.")
    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("TAFFRAIL_DATABASE_URL", "DATABASE_URL")
    )
    broker_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("TAFFRAIL_BROKER_URL", "BROKER_URL")
    )
    artifacts: str = Field(default="", description="URL of a store for crops and models (s3://...); HOME by default.")
    species: str = Field(
        default=",".join(DEFAULT_LABEL_SET.names),
        description="The label set to begin with, with commas; `cli species` shows and changes the one that is held.",
    )
    batch_items: int = Field(default=64, ge=1, le=4096, description="Images a batch.")
    network_batch: int = Field(default=8, ge=1, le=512, description="Images a network call.")
    lease_s: float = Field(
        default=600.0, ge=1, description="Seconds a worker may hold batches without getting on; at least 1."
    )
    runtime: Runtime | None = Field(
        default=None, description="What runs the networks; what cli models optimise chose where not given."
    )
    choose_runtime: bool = Field(
        default=True, description="Whether a first or promoted model's fastest runtime is chosen by itself."
    )
    kept_features_mib: int = Field(
        default=0, ge=0, description="MiB of images' features that wait for new heads of the same trunk; 0: none."
    )
    worker_memory_mib: int = Field(
        default=6144, ge=256, description="MiB above which a worker is replaced; at twice as much it is ended."
    )
    max_pixels: int = Field(default=178_956_970, ge=1, description="Largest image that is decoded, pixels.")
    max_file_mib: int = Field(default=512, ge=1, description="Largest file that is read, MiB.")
    time_patterns: str = Field(
        default="",
        description="How file names tell the time, with commas, as '%Y%m%d-%H%M%S'; tried before the usual ways.",
    )
    flag_below: float = Field(default=0.5, ge=0, le=1, description="Chance to be right below which a person looks.")
    held_out_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the images that models are evaluated on, by whole cameras."
    )
    correction_weight: float = Field(default=2.0, gt=0, description="What a correction counts, a label being 1.")
    pseudo_weight: float = Field(default=0.25, ge=0, description="What an image counts that only the champion knows.")
    pseudo_confidence: float = Field(default=0.95, ge=0, le=1, description="Both heads' confidence, to believe them.")
    pseudo_agreement: float = Field(default=0.88, ge=0, le=1, description="The agreement, to believe them.")
    gate_level: float = Field(default=0.9, ge=0.5, lt=1, description="How sure it must be that a candidate is better.")
    gate_species_drop: float = Field(default=0.1, ge=0, le=1, description="Recall that a species may lose by it.")
    gate_calibration_slack: float = Field(default=0.02, ge=0, le=1, description="Calibration error it may add.")

    retrain_cron: str = Field(default="", description="When to retrain, as in cron, UTC: '0 3 * * 1'; empty for never.")
    retrain_after: int = Field(default=0, ge=0, description="Corrected images that make a retraining due, 0: none.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the strongest first."""
        return init_settings, env_settings, dotenv_settings, _FileSource(settings_cls, _of_file.get({}))

    _project_label_set: LabelSet | None = PrivateAttr(default=None)

    @field_validator("retrain_cron")
    @classmethod
    def _a_cron_line(cls, value: str) -> str:
        if not value.strip():
            return ""
        from cronsim import CronSim, CronSimError

        if len(value.split()) != _CRON_FIELDS:  # CronSim takes a sixth: seconds, in front, where none looks for them
            raise ValueError(f"{value!r} has {len(value.split())} fields; wanted minute hour day month weekday")
        try:
            next(CronSim(value, datetime.now(UTC)))
        except (CronSimError, StopIteration) as error:
            wanted = "minute hour day month weekday, such as '0 3 * * 1' for Mondays at 03:00 UTC"
            raise ValueError(f"{value!r} is no schedule ({str(error) or 'it never comes'}); wanted {wanted}") from None
        return value

    @field_validator("time_patterns")
    @classmethod
    def _patterns_that_tell_a_time(cls, value: str) -> str:
        from db.domain.times import check_pattern

        return ",".join(check_pattern(one.strip()) for one in value.split(",") if one.strip())

    @field_validator("database_url")
    @classmethod
    def _a_usable_database(cls, value: SecretStr | None) -> SecretStr | None:
        return SecretStr(checked_database_url(value.get_secret_value())) if value else None

    @field_validator("broker_url")
    @classmethod
    def _a_usable_broker(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_broker_url(value.get_secret_value())
        return value

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def database(self) -> str:
        """The database's SQLAlchemy URL, with its password: never print it."""
        if self.database_url is None or not self.database_url.get_secret_value():
            return f"sqlite:///{self.home / 'taffrail.db'}"
        return self.database_url.get_secret_value()

    @property
    def broker(self) -> str | None:
        """The broker's URL, with its password; None is the embedded broker in HOME."""
        return self.broker_url.get_secret_value() if self.broker_url and self.broker_url.get_secret_value() else None

    @property
    def label_set(self) -> LabelSet:
        """The project's label set (`db.store.species.project_settings`), else the one to begin with.

        Raises:
            SettingsError: a species twice, or no `NoF`.
        """
        if self._project_label_set is not None:
            return self._project_label_set
        try:
            return LabelSet(tuple(name.strip() for name in self.species.split(",") if name.strip()))
        except ValueError as error:
            raise SettingsError(f"TAFFRAIL_SPECIES: {error}") from error

    def with_label_set(self, label_set: LabelSet) -> Settings:
        """Return the same settings of a project with this label set."""
        copy = self.model_copy()
        copy._project_label_set = label_set
        return copy

    @property
    def patterns_of_time(self) -> tuple[str, ...]:
        """How names of files tell a time, in the order in which they are tried."""
        from db.domain.times import KNOWN_PATTERNS

        return (*(one for one in self.time_patterns.split(",") if one), *KNOWN_PATTERNS)

    @property
    def models_dir(self) -> Path:
        """Where model versions' files lie."""
        return self.home / "models"

    @property
    def broker_dir(self) -> Path:
        """Where the embedded broker keeps its messages."""
        return self.home / "broker"

    @property
    def features_dir(self) -> Path:
        """Where precomputed features lie."""
        return self.home / "features"


class _FileSource(InitSettingsSource):
    """The settings file, below variables and `.env`."""

    def __call__(self) -> dict[str, Any]:
        """Return its values by the names that are validated; without those that a stronger source has."""
        fields = self.settings_cls.model_fields
        found = {}
        for name, value in self.init_kwargs.items():
            alias = fields[name].validation_alias if name in fields else None
            names = [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [name]
            if not any(one in self.current_state for one in (*names, name)):
                found[names[0]] = value
        return found


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: a value cannot be used; names the variable, what was found and what was wanted.
    """
    file = named_settings_file() or _home_told() / NAME
    said = _said_in(file)
    env_file = _env_file()
    held = _of_file.set(said)
    try:
        settings = Settings(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings takes it, unseen by mypy
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        variable = name if name.isupper() else f"TAFFRAIL_{name.upper()}"
        key = variable.removeprefix("TAFFRAIL_").lower()
        place = f"{file} {key}" if key in said and not os.environ.get(variable) else variable
        raise SettingsError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
    finally:
        _of_file.reset(held)
    if env_file == _home_told() / ".env" and settings.home != _home_told():
        raise SettingsError(f"{env_file}: names another TAFFRAIL_HOME; set it as a variable, where it is looked for")
    return settings


def _said_in(file: Path) -> dict[str, object]:
    """Return what a settings file says, nothing where HOME has none.

    Raises:
        SettingsError: it cannot be used.
    """
    if not file.is_file():
        return {}
    said = read_settings_file(file, known=Settings.model_fields)
    if "home" in said and named_settings_file() is None:
        raise SettingsError(f"{file}: names a home, but lies in one; set TAFFRAIL_HOME, or name the file by --settings")
    return said


def _env_file() -> Path | None:
    """Return the file of settings: the one that TAFFRAIL_ENV_FILE names, else HOME's own, never the working folder's.

    Raises:
        SettingsError: the named file is not there.
    """
    named = os.environ.get("TAFFRAIL_ENV_FILE")
    if not named:
        return _home_told() / ".env"
    path = Path(named).expanduser().absolute()
    if not path.is_file():
        raise SettingsError(f"TAFFRAIL_ENV_FILE {path}: there is no such file")
    return path


def _home_told() -> Path:
    told = os.environ.get("TAFFRAIL_HOME")
    named = named_settings_file() if not told else None
    by_file = read_settings_file(named, known=Settings.model_fields).get("home") if named is not None else None
    return Path(told or str(by_file or _DEFAULT_HOME)).expanduser().absolute()


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables that give a process these settings, whatever folder it works in; they hold passwords."""
    places = {"TAFFRAIL_HOME": str(settings.home), "TAFFRAIL_DATABASE_URL": settings.database}
    named = os.environ.get("TAFFRAIL_ENV_FILE")
    file = named_settings_file()
    if file is not None:
        places[VARIABLE] = str(file)
    if settings.runtime is not None:
        places["TAFFRAIL_RUNTIME"] = settings.runtime
    return {**places, **({"TAFFRAIL_ENV_FILE": str(Path(named).expanduser().absolute())} if named else {})}


def make_home(home: Path) -> Path:
    """Return HOME, made if it was missing; it is private to the user.

    Raises:
        SettingsError: it cannot be made, or is no folder.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"TAFFRAIL_HOME {home}: cannot be made ({error.strerror}); choose another folder") from None
    return home
