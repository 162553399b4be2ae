"""Reading exit statuses: what the raw status of a wait call says, as numbers and in words.

Done by hand, because it must also read what another machine recorded, and be testable without processes.
"""

from __future__ import annotations

import signal


def signal_name(signum: int | None) -> str:
    """The name of a signal number, or SIG_UNKNOWN."""
    try:
        return signal.Signals(signum or 0).name
    except ValueError:
        return 'SIG_UNKNOWN'


def read_status(raw: int | None) -> tuple[int | None, int | None]:
    """Signal and exit code of a raw wait status; one of them is None, both when the status says neither."""
    if raw is None:
        return None, None
    low = raw & 0x7F
    if low == 0:
        return None, (raw >> 8) & 0xFF
    # All seven bits set: stopped or continued, so it has not ended at all.
    return (None, None) if low == 0x7F else (low, None)


def describe(raw: int | None) -> str:
    """A raw wait status in words, to follow 'the work horse'."""
    signum, exit_code = read_status(raw)
    if signum is not None:
        return f'killed by {signal_name(signum)} (signal {signum})'
    if exit_code is not None:
        return f'exited with code {exit_code}'
    return 'ended without a known status'
