"""An import contract for `lint-imports`: nothing that is imported when a command starts reaches a forbidden package.

import-linter's own contracts count an import inside a function like one at a module's top. A command may reach Keras
inside a function (a worker process does), but not by being started.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class CommandStartContract(Contract):
    """`source_modules` may not reach `forbidden_packages` through imports that run at import time."""

    source_modules = fields.ListField(subfield=fields.StringField())
    forbidden_packages = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return whether the contract is kept; the first broken chain is kept for the report."""
        own = {module.split(".")[0] for module in self.source_modules}  # type: ignore[attr-defined]
        own |= {"worker", "annotator", "db"}
        chain = first_chain(self.source_modules, self.forbidden_packages, own)  # type: ignore[arg-type]
        return ContractCheck(kept=chain is None, metadata={"chain": chain})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the chain of imports from a command to a forbidden package."""
        output.print_error(" -> ".join(check.metadata["chain"]))


def first_chain(sources: list[str], forbidden: list[str], own: set[str]) -> list[str] | None:
    """Return the shortest chain of start-time imports from a source to a forbidden package; None where there is none.

    own: top-level packages that are followed; others are only compared with `forbidden`.
    """
    chains = deque([[source] for source in sources])
    seen = set(sources)
    while chains:
        chain = chains.popleft()
        for imported in start_imports(chain[-1]):
            if imported.split(".")[0] in forbidden:
                return [*chain, imported]
            if imported.split(".")[0] in own and imported not in seen:
                seen.add(imported)
                chains.append([*chain, imported])
    return None


def start_imports(module: str) -> Iterator[str]:
    """Yield the modules that importing `module` imports: those outside functions and TYPE_CHECKING."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return
    for node in _run_at_import(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (name for alias in node.names if _is_module(name := f"{node.module}.{alias.name}"))


def _run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _run_at_import(node)


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, AttributeError, ValueError):
        return False
