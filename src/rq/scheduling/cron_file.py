"""Read a cron config: run a file or module whose calls of `rq.cron.register` declare jobs."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from rq.utils import normalize_config_path, validate_absolute_path


def run(config_path: str) -> str:
    """Run the config at a path or dotted name; returns what it was taken for."""
    if Path(config_path).is_absolute():
        _run_file(validate_absolute_path(config_path))
        return config_path
    name = normalize_config_path(config_path)
    _run_module(name, config_path)
    return name


def _run_file(path: str) -> None:
    # The name is part of the names of the functions that the file defines.
    name = 'rq_cron_config_' + re.sub(r'\W', '_', Path(path).name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'the cron config {path!r} cannot be read as Python: its name must end with .py')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is the user's, and may raise anything
        sys.modules.pop(name, None)
        raise ImportError(f'the cron config {path!r} cannot be loaded: {_words(error)}') from error


def _run_module(name: str, given: str) -> None:
    shown = f'{name!r}' if name == given else f'{name!r} (from {given!r})'
    try:
        if name in sys.modules:
            importlib.reload(sys.modules[name])
        else:
            importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'the cron config {shown} cannot be imported: {error}') from error
    except Exception as error:
        raise Exception(f'the cron config {shown} raised {_words(error)}') from error  # as RQ


def _words(error: BaseException) -> str:
    return f'{type(error).__name__}: {error}'


def pending(registry: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take all declarations out of the list."""
    taken = registry[:]
    registry.clear()
    return taken
