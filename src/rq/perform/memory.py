"""Memory that processes share by handing a descriptor on."""

from __future__ import annotations

import os
import tempfile


def shared(name: str, size: int) -> int:
    """A descriptor of so many bytes, all zero; of a file without a name where the system has no memory of that kind."""
    try:
        descriptor = os.memfd_create(name)
    except (AttributeError, OSError):
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
