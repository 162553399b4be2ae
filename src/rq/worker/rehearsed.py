"""A module like those of jobs, but small: a horse that waits imports it from its file and forgets it, for practice."""

import os


class Refused(ValueError):
    """An error of its own."""


def price(order: int) -> int:
    """What a job would do."""
    return order * 3 + os.getpid()
