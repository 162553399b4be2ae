"""Directories for private servers; whatever still runs in one at the end is killed by its pid."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    """A short new directory; pytest's own are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix='rq-dev-') as name:
        yield Path(name) / 'home'
        for pid_file in Path(name).rglob('valkey.pid'):
            with suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
