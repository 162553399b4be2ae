"""The pulse of a worker, in shared memory: a horse whose worker is frozen ends when its lease does.

The worker's clock beats; in the horse a timer of the kernel looks. No thread, because user code forks.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
import time
from types import FrameType

_MOMENT = struct.Struct('d')
_SIGNAL = getattr(signal, 'SIGRTMIN', 0) + 11  # one that nobody uses
GRACE_SECONDS = 2.0  # who was frozen together with its worker lets that one go first


class _SignalEvent(ctypes.Structure):
    _fields_ = (
        ('value', ctypes.c_void_p),
        ('signo', ctypes.c_int),
        ('notify', ctypes.c_int),
        ('pad', ctypes.c_int * 12),
    )


class _TimerSpec(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ('every_s', 'every_ns', 'first_s', 'first_ns'))


class Pulse:
    """Made before the fork, so that worker and horses see the same page; in a spawned one from its descriptor."""

    def __init__(self, lease_seconds: float, descriptor: int = -1) -> None:
        self._lease_seconds = lease_seconds
        self._page = mmap.mmap(descriptor, _MOMENT.size)
        self._suspects = False
        # made here and not in the horse, where everything new costs page faults
        self._libc = ctypes.CDLL(None)
        self._timer = ctypes.c_void_p()
        self._timer_at = ctypes.byref(self._timer)
        self._event = ctypes.byref(_SignalEvent(signo=_SIGNAL))
        self.beat()

    def beat(self) -> None:
        """The worker lives. Said also while the server is away: in an outage nobody else can take the job."""
        _MOMENT.pack_into(self._page, 0, time.monotonic())

    def watch(self) -> None:
        """In the horse: look when the lease may have run out, and as often as need be."""
        try:
            if self._libc.timer_create(time.CLOCK_MONOTONIC, self._event, self._timer_at) != 0:
                return
            signal.signal(_SIGNAL, self._look)
            signal.siginterrupt(_SIGNAL, False)
        except (OSError, AttributeError, ValueError):
            return  # no such timers here: the late outcome is refused all the same
        self._look_in(self._lease_seconds)

    def has_stopped(self) -> bool:
        """Whether the lease ran out, and had at the look before this one, too."""
        suspected, self._suspects = self._suspects, self._left() <= 0
        return suspected and self._suspects

    def _left(self) -> float:
        moment: float = _MOMENT.unpack_from(self._page)[0]
        return moment + self._lease_seconds - time.monotonic()

    def _look(self, signum: int, frame: FrameType | None) -> None:
        if self.has_stopped():
            os.kill(-os.getpid() if os.getpgrp() == os.getpid() else os.getpid(), signal.SIGKILL)
        self._look_in(GRACE_SECONDS if self._suspects else self._left())

    def _look_in(self, seconds: float) -> None:
        whole, rest = divmod(max(seconds, 0.001), 1)
        spec = _TimerSpec(first_s=int(whole), first_ns=int(rest * 1e9))
        self._libc.timer_settime(self._timer, 0, ctypes.byref(spec), None)
