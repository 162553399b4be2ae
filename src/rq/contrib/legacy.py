"""Old address of `cleanup_ghosts`."""

from rq.legacy.ghosts import cleanup_ghosts

__all__ = ['cleanup_ghosts']
