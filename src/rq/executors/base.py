"""The executor protocol, and what passes through it: Running (an execution under way) and Ended (how it came out)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from rq.failure.capture import Failure
from rq.failure.notify import Settlement
from rq.rules.lease import Lease
from rq.rules.watch import Watched


@dataclass
class Running:
    """One execution from claim to settlement. `failure` and `told`: what was noted, and how often its telling began."""

    job: Any
    queue: Any
    execution: Any
    lease: Lease
    raw: dict[bytes, bytes]
    watch: Watched = field(default_factory=Watched)
    failure: Failure | None = None
    told: int = 0
    taken_at: float = 0.0  # monotonic time at which it was asked for
    words: str = ''  # where it was when its time was over
    keeps_output: bool = False  # what it prints and logs is to be kept if it fails
    ring: Any = None  # where that is, when it runs in a process of its own
    ended: bool = False
    begun: bool = False  # the store knows that user code may run, or is not to know it
    is_doubtful: bool = False  # it may have gone back, and must be asked for before it runs
    settled: bool = False  # its outcome is written already, and handlers of era A are told of it
    course: Any = None  # the short way that it may take through its slot


@dataclass
class Ended:
    """An execution that is over here: with the settlement it reported (here: already in
    the worker's outbox), or with the exit status of its process."""

    running: Running
    settlement: Settlement | None = None
    pid: int | None = None
    raw_status: int | None = None
    rusage: Any = None
    reported: bool = False
    orphaned: bool = False  # the process that forked it was lost, and nobody knows how it ended
    unbegun: bool = False  # no code of it ran: it was taken back, or a job before it in its batch ended badly


class Executor(Protocol):
    """Start a job, ask what has ended, stop one. The loop never asks which kind it has."""

    capacity: int  # how many jobs may run side by side
    is_inline: bool  # `start` runs the job to its end
    takes_batches: bool  # short jobs may be claimed and settled together
    has_slots: bool  # jobs run in slots of this process, and plain ones may take a short way there
    lease_seconds: int  # 0: by the job's timeout, because user code runs in the process that renews

    @property
    def stuck(self) -> int:
        """How many places are taken by jobs that were given up and do not end."""

    @property
    def rescues_while_busy(self) -> bool:
        """Whether orphans can be seen to at this moment, while jobs run."""

    def open(self) -> None:
        """Once, in the main thread, before the worker has others."""

    def prepare(self, expected: int = 1) -> None:
        """Get ready for the next jobs while there is time."""

    def start(self, running: Running) -> None:
        """Run the job."""

    def resume(self, running: Running) -> None:
        """Take the steps of a failure whose process is gone."""

    def poll(self) -> list[Ended]:
        """What has ended since the last call; does not block."""

    def kill(self, running: Running, signum: int = 9) -> None:
        """End the process of an execution, and all its descendants."""

    def pulse(self) -> None:
        """The worker's clock beats: those who run jobs elsewhere are told so."""

    def pid_of(self, running: Running) -> int | None:
        """The process an execution runs in, if it has one of its own."""

    def descriptors(self) -> list[int]:
        """What to select on until something may have ended."""

    def close(self) -> None:
        """Let go of everything that waits."""
