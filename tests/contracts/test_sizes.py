"""No function and no class of the four packages grows past what a reader holds in mind at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("annotator", "cli", "db", "worker")
MOST_LINES = 60  # of a body: a signature declares a command's options, a docstring tells
MOST_METHODS = 20


def too_large(code: str) -> Iterator[tuple[str, str]]:
    """Yield what of a module is too large: its name and its size."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            if lines > MOST_LINES:
                yield node.name, f"{lines} lines"
        if isinstance(node, ast.ClassDef):
            methods = sum(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) for part in node.body)
            if methods > MOST_METHODS:
                yield node.name, f"{methods} methods"


def test_every_function_and_class_can_be_read_at_once() -> None:
    found = {
        f"{file.relative_to(ROOT)} {name}": size
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in file.parts
        for name, size in too_large(file.read_text(encoding="utf-8"))
    }

    assert found == {}


def test_what_is_too_large_is_found() -> None:
    long = "def long():\n" + "    x = 1\n" * 61
    fitting = "def fitting(\n" + "".join(f"    option_{n},\n" for n in range(80)) + "):\n" + "    x = 1\n" * 60
    wide = "class Wide:\n" + "".join(f"    def part_{n}(self): ...\n" for n in range(21))

    assert list(too_large(long + fitting + wide)) == [("long", "61 lines"), ("Wide", "21 methods")]
