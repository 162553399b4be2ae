"""Reading the house: its modules, their imports and their functions, as `ast` sees them. No laws here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HOUSE = PROJECT / 'src' / 'rq'


@dataclass(frozen=True)
class Import:
    """One imported module: `rq.store.keys`, or the top name of a foreign package."""

    target: str
    line: int
    annotation_only: bool
    in_function: bool


def python_files(root: Path) -> list[Path]:
    """Every Python file below `root`."""
    return sorted(path for path in root.rglob('*.py') if '__pycache__' not in path.parts)


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), filename=str(path))


def modules(house: Path) -> dict[str, Path]:
    """Dotted name -> file, for every module of the package in the directory `house`."""
    found = {}
    for path in python_files(house):
        parts = ['rq', *path.relative_to(house).with_suffix('').parts]
        found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> list[Import]:
    """What the module `name` imports, wherever the import stands in it."""
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    return list(_imports(parse(path), package, known, False, False))


def _imports(
    node: ast.AST, package: str, known: dict[str, Path], annotation_only: bool, in_function: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        targets: list[str] = []
        if isinstance(child, ast.Import):
            targets = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            base = _absolute(child, package)
            targets = [f'{base}.{a.name}' if f'{base}.{a.name}' in known else base for a in child.names]
        elif isinstance(child, ast.Call):
            targets = _named_import(child)
        for target in dict.fromkeys(targets):
            ours = target == 'rq' or target.startswith('rq.')
            yield Import(target if ours else target.partition('.')[0], child.lineno, annotation_only, in_function)
        if isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.dump(child.test):
            for part in child.body:
                yield from _imports(ast.Module([part], []), package, known, True, in_function)
            for part in child.orelse:
                yield from _imports(ast.Module([part], []), package, known, annotation_only, in_function)
            continue
        deeper = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, package, known, annotation_only, deeper)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ''
    parts = package.split('.')
    base = parts[: len(parts) - node.level + 1]
    return '.'.join([*base, node.module] if node.module else base)


def _named_import(call: ast.Call) -> list[str]:
    """The module of `import_module('rq.…')`, which is an import as well."""
    name = getattr(call.func, 'attr', getattr(call.func, 'id', ''))
    if name not in ('import_module', '__import__') or not call.args:
        return []
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return [first.value]
    return []


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a file, nested ones too, with the name that it has inside the file."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f'{prefix}{child.name}.'
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f'{prefix}{child.name}', child
            yield from walk(child, inner)

    return walk(parse(path), '')


def plant(directory: Path, files: dict[str, str]) -> Path:
    """A tiny house with the given files, for the tests that a law can be broken."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory
