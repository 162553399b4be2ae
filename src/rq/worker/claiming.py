"""Order, claim, wait: the worker's conversation with the server. It waits through bad weather and loses nothing."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from secrets import token_hex
from typing import Any
from uuid import uuid4

from rq.connections import describe, rebuild
from rq.defaults import BURST_PATIENCE, LEASE_SECONDS, MAX_BACKOFF, SOCKET_TIMEOUT
from rq.failure.notify import Settlement, tell, tell_all
from rq.rules.lease import Lease
from rq.store import claim, promote
from rq.store.call import Answer, Call, Line, ResponseError, is_weather
from rq.store.scripts import load, names
from rq.store.wait import Waiter
from rq.worker.refused import Refusals
from rq.worker.together import Together

ADOPT_AT_ONCE = 10  # orphans per queue and look
HASTE_SECONDS = 1.0
IDLE_SECONDS = 1.0  # how long one wait lasts: the latency for jobs that RQ 3.0 producers pushed without a token


class GaveUp(Exception):
    """The server stayed away for longer than we may wait."""


class Conversation:
    """The main thread's connection: calls with patience."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        client = rebuild(worker.connection, socket_timeout=SOCKET_TIMEOUT)
        self.address = describe(worker.connection)
        self.line, self.client = Line(client), client
        self.waiter = Waiter(rebuild(worker.connection, socket_timeout=SOCKET_TIMEOUT + 2))
        self.patience: float | None = None  # seconds; None waits for ever
        self.pause: Callable[[float], None] = time.sleep
        self.give_up: Callable[[float], bool] = lambda since: False
        self._executions: list[str] = []  # the ids of a claim whose reply may have been lost
        self._has_asked = False  # with these ids
        self._went_ahead = False  # they did so with a claim behind the wait ...
        self._ahead_at = 0.0  # ... and then
        self._arrived: claim.Claims | None = None  # what such a claim has taken
        self.asked_at = 0.0  # when a job was asked for
        self._doubted_at, self._waits_since = 0.0, 1.0
        self.lost_touch: Callable[[], bool] = lambda: False  # whether no renewal was accepted for a whole lease
        self._told_at = 0.0
        self.is_early = True  # to tell who of those whose leases ran out is dead, as the latest rescue answered
        self._is_away = False  # somebody read that we wait

    # --- patience -----------------------------------------------------------------------------------------------

    def patiently(self, *calls: Call[Any], waits: bool = True) -> list[Any]:
        """The replies, however long the server is away; errors of single calls stand in the place of their reply."""
        return list(self._weather(lambda: self.line.ask(*calls) if len(calls) > 1 else self.line.run(*calls), waits))

    def through(self, action: Callable[[], Any]) -> Any:
        """What somebody else's call gives, however long the server is away."""
        return self._weather(action)

    def _weather(self, action: Callable[[], Any], waits: bool = True) -> Any:
        began, delay = time.monotonic(), 0.1
        while True:
            try:
                reply = action()
                if self._is_away:
                    self._tell_return()
                return reply
            except Exception as error:
                self.line.drop()
                if not is_weather(error):
                    raise
                self._tell_weather(error)
                since = time.monotonic() - began
                if not waits or self.give_up(since) or (self.patience is not None and since > self.patience):
                    raise GaveUp(f'{self.address} cannot be used: {error}') from error
            self.pause(delay)
            delay = min(delay * 2, MAX_BACKOFF)

    def _tell_weather(self, error: Exception) -> None:
        if time.monotonic() - self._told_at > 60:
            self._told_at, self._is_away = time.monotonic(), True
            log, name = self._worker.log, self._worker.name
            log.error('Worker %s: cannot reach %s (%s); waiting, and trying again', name, self.address, error)

    def _tell_return(self) -> None:
        self._is_away = False
        self._worker.log.info('Worker %s: %s is there again', self._worker.name, self.address)

    # --- verbs --------------------------------------------------------------------------------------------------

    def load_scripts(self) -> None:
        """Meet the server, and teach it the scripts."""
        for name in names():
            load(name)  # outside of the weather: a file that cannot be opened is none of the server's
        self._weather(self.line.load_scripts)

    def settle(self, waiting: list[Settlement], waits: bool = True) -> list[Any]:
        """Write what waits, and tell; the answers."""
        replies = self._settle_and(waiting, waits=waits) if waiting else []
        self.told(waiting, replies)
        return replies

    def try_to_settle(self, waiting: list[Settlement]) -> None:
        """The same, once: while the server is away, somebody must mind the deadline of the job that runs."""
        try:
            self.settle(waiting, waits=False)
        except GaveUp:
            return  # they are still there at the next turn

    def _settle_and(
        self, waiting: list[Settlement], more: Callable[[], Call[Any]] | None = None, waits: bool = True
    ) -> list[Any]:
        """In one round trip: an answer for each outcome, and the reply of one more call, made anew for each try."""
        refusals = Refusals(self._worker, self.client, waiting)
        self.limit(waiting)

        def send() -> tuple[list[Any], list[Any]]:
            self.asked_at = time.monotonic()
            try:
                together = Together(waiting)
                size = len(together.calls)
                replies = self.line.ask(*together.calls, *([] if more is None else [more()]))
                return together.answers(replies[:size]), replies[size:]
            except Exception as error:
                if is_weather(error):
                    refusals.see(error)
                raise

        answers, rest = self._weather(send, waits)
        alone = [number for number, answer in enumerate(answers) if answer is None]
        if alone:
            replies = self._weather(lambda: self.line.ask(*(waiting[number].call for number in alone)), waits)
            for number, reply in zip(alone, replies, strict=True):
                answers[number] = reply
        return [*answers, *rest]

    def limit(self, waiting: list[Settlement]) -> None:
        """With each failure goes how many of them its queue keeps."""
        if self._worker.max_failed_jobs:
            for one in waiting:
                if one.verb in ('fail', 'stop'):
                    one.words['keep'] = self._worker.max_failed_jobs

    def next(
        self,
        waiting: list[Settlement],
        queues: list[str],
        lease_seconds: float,
        number: int,
        begun: bool,
        streak: bool = False,
        batched: bool = False,
    ) -> claim.Claims:
        """Write what waits and take up to so many jobs, in one round trip; `streak`: as `store.claim.claim` has it.

        While a claim is under way behind the wait: what that has taken, nothing so far.
        """
        if self._arrived is not None or self.waiter.has_call:
            return self._gone_ahead(waiting)
        ahead = self._went_ahead  # and the reply was lost
        begun = begun and not ahead
        self._executions = self._executions or (claim.for_batch(_ids(number)) if batched else _ids(number))

        def take() -> Call[Any]:
            repeated, self._has_asked = self._has_asked, True
            return claim.claim(
                self._worker.name, queues, self._executions, lease_seconds, begun, repeated, streak and not repeated
            )

        replies = self._settle_and(waiting, take)
        self.told(waiting, replies[:-1])
        claims: Any = replies[-1]
        if isinstance(claims, Exception):
            raise claims
        self._forget_ids()
        taken: claim.Claims = claims._replace(ahead=True) if ahead else claims
        return taken

    def _forget_ids(self) -> None:
        self._executions, self._has_asked, self._went_ahead = [], False, False

    def _gone_ahead(self, waiting: list[Settlement]) -> claim.Claims:
        self.settle(waiting)
        arrived, self._arrived = self._arrived, None
        self.asked_at = self._ahead_at if self._ahead_at > self._doubted_at else 0.0
        return arrived or claim.Claims([], [], False)

    def told(self, waiting: list[Settlement], replies: list[Any]) -> None:
        """Say what became of outcomes that were sent."""
        worker, said = self._worker, list(zip(waiting, replies, strict=True))
        del waiting[: len(said)]
        if all(isinstance(reply, Answer) for reply in replies):
            tell_all(worker.log, worker.name, said, worker.log_result_lifespan)
            return
        for settlement, reply in said:
            if isinstance(reply, Answer):
                tell(worker.log, worker.name, settlement, reply, worker.log_result_lifespan)
            else:
                self._worker.log.error(
                    'Worker %s: the server refused the outcome of job %s (%s); its lease will run out',
                    self._worker.name, settlement.lease.job_id, reply,
                )  # fmt: skip

    def note(self, lease: Lease, failure: dict[str, Any], told: int) -> bool | None:
        """Store a note; while the server is away the caller keeps it in memory, and it is ours as long as our lease.

        None: nobody knows, because the server is away and the lease has run out.
        """
        try:
            return bool(self.patiently(claim.note(lease, failure, told), waits=False)[0])
        except GaveUp:
            return None if self.lost_touch() else True

    def promote(self, queues: list[str]) -> int:
        """Queue what is due; returns how many."""
        total = 0
        while True:
            replies = self.patiently(*(promote.promote_due(queue, promote.BATCH) for queue in queues))
            handled = [number for number in replies if isinstance(number, int)]
            total += sum(handled)
            if max(handled, default=0) < promote.BATCH:
                return total

    def rescue(self, queues: list[str], lease_seconds: float) -> list[tuple[str, claim.Orphan]]:
        """Adopt a few executions per queue whose workers were lost."""
        ids = [[uuid4().hex for _ in range(ADOPT_AT_ONCE)] for _ in queues]
        pairs = list(zip(queues, ids, strict=True))
        replies = self.patiently(
            *(claim.rescue(queue, self._worker.name, some, lease_seconds) for queue, some in pairs)
        )
        found = [pair for pair in zip(queues, replies, strict=True) if isinstance(pair[1], claim.Rescued)]
        self.is_early = any(rescued.is_early for _, rescued in found)
        return [(queue, orphan) for queue, rescued in found for orphan in rescued.orphans]

    def begin(self, lease: Lease, lasting: bool = False) -> None:
        """Mark that user code may run; nobody waits for the reply. `lasting`: for as long as this lease says."""
        try:
            self.line.post(claim.begin(lease, lasting))
        except Exception as error:
            if not is_weather(error):
                raise  # without the mark a lost execution would merely be put back uncharged

    def expire(self, leases: list[Lease], lost: bool = False) -> None:
        """Let leases run out now, so that others take over; `lost` counts as a lost worker, leaving does not."""
        short = [lease._replace(lease_ms=int(lost)) for lease in leases]
        self.patiently(claim.renew(self._worker.name, short), waits=False)

    # --- waiting ------------------------------------------------------------------------------------------------

    def wait_descriptor(self, queues: list[str], ahead: tuple[list[str], float] | None = None) -> int | None:
        """Begin to wait for work; None while the server is away. `ahead`: and claim a job of queues, with a lease.

        Then whoever enqueues a job hands it to us, and we need not ask. Should we be gone by then without the server
        knowing it, that job has not begun: it goes back uncharged when its lease has run out.
        """

        def claim_ahead() -> Call[Any]:
            self._executions = self._executions or _ids(1)
            repeated, self._has_asked = self._has_asked, True
            self._went_ahead, self._ahead_at = True, time.monotonic()
            queues, lease_seconds = ahead or ([], 0.0)
            return claim.claim(self._worker.name, queues, self._executions, lease_seconds, repeated=repeated)

        if self._waits_since <= self._doubted_at:
            self.waiter.drop()
        self._waits_since = time.monotonic()
        try:
            seconds = IDLE_SECONDS * random.uniform(0.8, 1.2)
            return self.waiter.start(queues, seconds, claim_ahead if ahead else None)
        except Exception as error:
            self.waiter.drop()
            if not is_weather(error):
                raise
            return None

    def waited(self, readable: bool) -> None:
        """The wait is over: by a token or its own end (readable), or the server has been silent for too long."""
        try:
            if readable:
                self._arrive(self.waiter.finish())
            else:
                self.waiter.drop()
        except Exception as error:
            self.waiter.drop()
            if not is_weather(error) and not isinstance(error, ResponseError):
                raise

    def _arrive(self, claims: claim.Claims | None) -> None:
        if claims is not None:
            self._forget_ids()
            self._arrived = claims._replace(ahead=True)

    @property
    def has_news(self) -> bool:
        """Whether a claim that went ahead has been answered, and its jobs are not in hand yet."""
        return self._arrived is not None or self.waiter.is_answered

    def withdraw(self) -> list[claim.Claimed]:
        """We wait no longer: what a claim that went ahead has taken all the same."""
        if self.waiter.has_call:
            self._stop_waiting()
        arrived, self._arrived = self._arrived, None
        return arrived.taken if arrived is not None else []

    def _stop_waiting(self) -> None:
        try:
            with contextlib.closing(rebuild(self._worker.connection, socket_timeout=HASTE_SECONDS)) as client:
                self._arrive(self.waiter.stop(client, IDLE_SECONDS * 1.2 + HASTE_SECONDS))
        except Exception as error:
            self.waiter.drop()
            if not is_weather(error) and not isinstance(error, ResponseError):
                raise

    def doubt(self) -> None:
        """As `Line.doubt`, of both connections; what a claim that went ahead before took must be asked for again."""
        self._doubted_at = time.monotonic()
        self.line.doubt()

    def hurry(self) -> None:
        """We leave: who may be killed in ten seconds has no time to ask a silent server for long, but for outcomes."""
        self.client = rebuild(self._worker.connection, socket_timeout=HASTE_SECONDS)

    def let_go_of_claims(self) -> None:
        """We end in the middle of something, and what has been taken for us just now is for others."""
        name = self._worker.name
        taken = [(one, one.raw.get(b'origin', b'').decode()) for one in self.withdraw()]
        try:
            if taken:
                self.expire([Lease(one.job_id, one.execution, queue, name) for one, queue in taken])
        except GaveUp:
            return  # they run out by themselves

    def close(self) -> None:
        """Close its connections."""
        self.let_go_of_claims()
        self.waiter.drop()
        self.line.drop()
        self.client.close()


def _ids(number: int) -> list[str]:
    """So many new execution ids."""
    digits = token_hex(16 * number)
    return [digits[at : at + 32] for at in range(0, 32 * number, 32)]


def burst_patience(burst: bool) -> float | None:
    """Seconds a worker waits for its server: a burst worker not for ever."""
    return BURST_PATIENCE if burst else None


def gives_up(told: bool, in_hand: bool, since: float) -> bool:
    """Told to leave while the server is away: at once, but with an outcome in hand not before its lease ran out."""
    return told and (not in_hand or since > LEASE_SECONDS)
