"""Checks what the import contracts cannot: names, privacy and cycles.

- A class name occurs once in the package, so that it can be searched for.
- A name or module that begins with an underscore is private to its room.
- No module imports itself by way of others.
- Every package says in its docstring what it is for.

A room is a package directly below ``isthmus``. Prints one line for each fault and exits with 1 if
there is any.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[1] / "src" / "isthmus"
PACKAGE = "isthmus"


def main() -> int:
    """Return the exit code."""
    faults = check(SOURCE)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def check(source: Path) -> list[str]:
    """Return the faults of the package in the folder `source`, one line each."""
    trees = {
        module_name(path, source): ast.parse(path.read_text()) for path in source.rglob("*.py")
    }
    packages = {module_name(path, source) for path in source.rglob("__init__.py")}
    return sorted(
        [
            *repeated_classes(trees),
            *private_imports(trees),
            *cycles(trees),
            *packages_without_docstring(trees, packages),
        ]
    )


def module_name(path: Path, source: Path) -> str:
    """Return the dotted name of the module in a file; a package's is that of its folder."""
    parts = [PACKAGE, *path.relative_to(source).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def repeated_classes(trees: dict[str, ast.Module]) -> Iterator[str]:
    """Yield the class names that more than one module defines."""
    places = defaultdict(list)
    for module, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    for name, modules in places.items():
        if len(modules) > 1:
            yield (
                f"class {name}: expected one definition, received {len(modules)}, in "
                f"{', '.join(sorted(modules))}. Try: name each for what it is."
            )


def private_imports(trees: dict[str, ast.Module]) -> Iterator[str]:
    """Yield the imports of a room's private names from outside it."""
    for module, tree in trees.items():
        for target, name in imports(tree):
            private = [part for part in (*target.split("."), name) if is_private(part)]
            if private and room(target) not in ("", room(module)):
                yield (
                    f"{module}: imports {private[0]} of {target}, which is private to the room "
                    f"{room(target)!r}. Try: make the name public, or move what uses it."
                )


def cycles(trees: dict[str, ast.Module]) -> Iterator[str]:
    """Yield one line for each group of modules that import one another, be it for types alone."""
    edges: dict[str, set[str]] = {module: set() for module in trees}
    for module, tree in trees.items():
        for target, name in imports(tree):
            whole = f"{target}.{name}"
            imported = whole if whole in trees else target
            if imported in trees and imported != module:
                edges[module].add(imported)
    for group in strongly_connected(edges):
        if len(group) > 1:
            yield (
                f"import cycle: {', '.join(sorted(group))}. "
                "Try: pass values, or declare a protocol in the lower module."
            )


def packages_without_docstring(trees: dict[str, ast.Module], packages: set[str]) -> Iterator[str]:
    """Yield the packages, and folders of modules, that do not say what they are for."""
    folders = {module.rpartition(".")[0] for module in trees} - {""}
    for package in folders | packages:
        if package not in packages or not ast.get_docstring(trees[package]):
            yield f"{package}: expected an __init__.py with a docstring that says what it is for."


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of each ``from isthmus... import name``, wherever it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                yield node.module or "", alias.name


def room(module: str) -> str:
    """Return the room of a module, or ``""`` for the package and modules directly in it."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (SOURCE / parts[1]).is_dir() else ""


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def strongly_connected(edges: dict[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components of a graph (Kosaraju's algorithm)."""
    order: list[str] = []
    seen: set[str] = set()
    for start in edges:
        visit(start, edges, seen, order)
    reverse: dict[str, set[str]] = {node: set() for node in edges}
    for node, targets in edges.items():
        for target in targets:
            reverse[target].add(node)
    seen.clear()
    components = []
    for start in reversed(order):
        found: list[str] = []
        visit(start, reverse, seen, found)
        if found:
            components.append(set(found))
    return components


def visit(start: str, edges: dict[str, set[str]], seen: set[str], order: list[str]) -> None:
    """Append the nodes that can be reached from `start` to `order`, each after its targets."""
    if start in seen:
        return
    seen.add(start)
    stack = [(start, iter(sorted(edges[start])))]
    while stack:
        node, targets = stack[-1]
        target = next((each for each in targets if each not in seen), None)
        if target is None:
            order.append(node)
            stack.pop()
        else:
            seen.add(target)
            stack.append((target, iter(sorted(edges[target]))))


if __name__ == "__main__":
    sys.exit(main())
