"""The version of this package, and nothing else."""

from __future__ import annotations

VERSION = '3.1.0'
