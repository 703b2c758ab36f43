"""docker-compose.yml keeps what docs/deployment.md promises."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.commands_page import commands_of
from cli.main import app

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PACKAGES = ("cli", "worker", "annotator", "db")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_runs_without_root_without_rights_and_is_watched(name: str) -> None:
    service = SERVICES[name]

    assert service["user"] not in ("root", "0", "0:0")
    assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]
    assert service["healthcheck"]["test"]


def test_no_port_is_open_to_the_world() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert ports == {"flower": ["127.0.0.1:5555:5555"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_secrets_come_from_the_environment_and_nothing_starts_without_them() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()

    for name in ("REDIS_PASSWORD", "POSTGRES_PASSWORD", "FLOWER_PASSWORD"):
        assert f"${{{name}:?" in text and f"{name}=" in example
    assert "/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_redis_refuses_rather_than_forgets() -> None:
    command = " ".join(SERVICES["redis"]["command"])

    assert "--maxmemory-policy noeviction" in command and "--appendonly yes" in command
    assert '--requirepass "$$REDIS_PASSWORD"' in command


@pytest.mark.parametrize("name", ["infer", "train", "cli"])
def test_a_services_command_is_one_of_ours(name: str) -> None:
    command, *options = SERVICES[name]["command"]
    ours = {one.name: one.callback for one in commands_of(app)}[f"cli {command}"]

    assert all(option[2:] in inspect.signature(ours).parameters for option in options if option.startswith("--"))


def test_the_image_holds_every_package_and_no_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert ignored[0] == "*" and not any("env" in line for line in ignored)
    assert all(f"!{package}" in ignored and f"COPY {package} {package}" in copied for package in PACKAGES)
