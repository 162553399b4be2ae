"""A producer of the soak: a process that makes numbered jobs and keeps a ledger of what was accepted.

A job counts as accepted when its enqueue returned. When that raised, nobody knows: the job may exist or not.
"""

import argparse
import heapq
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as NoRetry

from rq import Queue, Repeat, Retry
from rq.command import send_stop_job_command
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError, StorageFullError
from rq.job import Job
from rq.rate_limit import RateLimit
from tests.crash import soak_jobs
from tests.crash.soak_plan import LIMITS, Wish, wishes

CROWDED = 300  # queued jobs from which on producers wait: what is tested is not how long a queue can be
WEATHER = (RedisError, OSError, StorageFullError)
TRIES = 8  # of what cannot be done yet


class Ledger:
    """A file with one JSON object a line, each written at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open('ab', buffering=0)

    def write(self, do: str, **words: Any) -> None:
        """One line."""
        self._file.write(json.dumps({'do': do, 'at': time.time(), **words}).encode() + b'\n')


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every line of a ledger."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


class Producer:
    """One of five."""

    def __init__(self, url: str, seed: int, number: int, ledger: Ledger) -> None:
        # some programs let redis-py repeat what failed, others do not
        words: dict[str, Any] = {} if number % 2 else {'retry': NoRetry(NoBackoff(), 0)}
        self.redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, **words)
        self.queue = Queue('q', connection=self.redis)
        self.seed, self.number, self.ledger = seed, number, ledger
        self._later: list[tuple[float, int, int, str, Wish]] = []
        self._count = 0

    def run(self, until: float, pause: float) -> None:
        """Make jobs, one step in so many seconds; afterwards do what is left to be done to them."""
        step, due = 0, time.time()
        while time.time() < until:
            self._do_later()
            if time.time() < due:
                time.sleep(min(max(due - time.time(), 0), 0.05))
                continue
            due = max(due + pause, time.time() - 5)  # after an outage it catches up, within bounds
            self._wait_while_crowded(until)
            self.make(wishes(self.seed, self.number, step))
            step += 1
        while self._later and time.time() < until + 30:
            self._do_later()
            time.sleep(0.05)
        self.ledger.write('done', steps=step)

    def _wait_while_crowded(self, until: float) -> None:
        while time.time() < until:
            try:
                if self._count % 20 or self.queue.count < CROWDED:
                    break
            except WEATHER:
                break
            self._do_later()
            time.sleep(0.5)
        self._count += 1

    # --- making -------------------------------------------------------------------------------------------------

    def make(self, group: list[Wish]) -> None:
        """A step's jobs; when one is not accepted, those that depend on it are not made."""
        for wish in group:
            self.ledger.write('wish', **{key: value for key, value in wish._asdict().items() if value})
        if group[0].how == 'many':
            datas = [self.queue.prepare_data(self._function(wish), wish.args, **self._words(wish)) for wish in group]
            self._accept(group, lambda: self.queue.enqueue_many(datas))
            return
        for wish in group:
            if not self._accept([wish], lambda wish=wish: self._enqueue(wish)):  # type: ignore[misc]
                break
            self._plan(wish)

    def _accept(self, group: list[Wish], enqueue: Any) -> bool:
        ids, began = [wish.id for wish in group], time.time()
        try:
            enqueue()
        except WEATHER as error:
            self.ledger.write('unknown', ids=ids, error=f'{type(error).__name__}: {error}'[:200])
            return False
        except Exception as error:
            self.ledger.write('strange', ids=ids, verb='enqueue', error=f'{type(error).__name__}: {error}'[:500])
            return False
        self.ledger.write('accepted', ids=ids, began=began)
        return True

    def _enqueue(self, wish: Wish) -> None:
        words, function = self._words(wish), self._function(wish)
        if wish.how == 'in':
            self.queue.enqueue_in(timedelta(seconds=wish.delay), function, *wish.args, **self._spoken(words))
        elif wish.how == 'unique':
            self.queue.enqueue(function, *wish.args, unique=True, **self._spoken(words))
            try:
                self.queue.enqueue(function, *wish.args, unique=True, **self._spoken(words))
            except DuplicateJobError:
                return
            except WEATHER:
                return  # whatever became of the second call, the first one was accepted
            raise AssertionError('a unique id was accepted twice')
        else:
            self.queue.enqueue(function, *wish.args, **self._spoken(words))

    @staticmethod
    def _function(wish: Wish) -> Any:
        return getattr(soak_jobs, wish.func)

    @staticmethod
    def _spoken(words: dict[str, Any]) -> dict[str, Any]:
        return {'job_timeout' if key == 'timeout' else key: value for key, value in words.items()}

    @staticmethod
    def _words(wish: Wish) -> dict[str, Any]:
        words: dict[str, Any] = {'job_id': wish.id, 'result_ttl': -1}
        if wish.timeout:
            words['timeout'] = wish.timeout
        if wish.retries:
            words['retry'] = Retry(max=wish.retries, interval=wish.interval)
        if wish.repeats:
            words['repeat'] = Repeat(times=wish.repeats, interval=wish.interval)
        if wish.calls_back:
            words |= {'on_success': soak_jobs.worked, 'on_failure': soak_jobs.broke}
            words['on_stopped'] = soak_jobs.was_stopped
        if wish.after:
            words['depends_on'] = wish.after
        if wish.limit:
            words['rate_limit'] = RateLimit(wish.limit, LIMITS[wish.limit])
        return words

    # --- what is done to a job in the middle of its life --------------------------------------------------------

    def _plan(self, wish: Wish) -> None:
        for seconds, verb in wish.later:
            self._put_off(seconds, 1, verb, wish)

    def _put_off(self, seconds: float, tried: int, verb: str, wish: Wish) -> None:
        self._count += 1
        heapq.heappush(self._later, (time.time() + seconds, self._count, tried, verb, wish))

    def _do_later(self) -> None:
        while self._later and self._later[0][0] <= time.time():
            _, _, tried, verb, wish = heapq.heappop(self._later)
            began = time.time()
            try:
                answer = getattr(self, f'_{verb}')(wish)
            except WEATHER as error:
                self.ledger.write('maybe', verb=verb, id=wish.id, error=f'{type(error).__name__}: {error}'[:200])
                answer = None
            except NoSuchJobError:
                self.ledger.write('strange', ids=[wish.id], verb=verb, error='an accepted job does not exist')
                continue
            except Exception as error:
                words = f'{type(error).__name__}: {error}'[:500]
                self.ledger.write('strange', ids=[wish.id], verb=verb, error=words)
                continue
            if answer:
                self.ledger.write('did', verb=verb, id=wish.id, began=began)
            if answer is not True and tried < TRIES:
                self._put_off(1, tried + 1, verb, wish)

    def _fetch(self, wish: Wish) -> Job:
        return Job.fetch(wish.id, connection=self.redis)

    def _cancel(self, wish: Wish) -> bool:
        try:
            self._fetch(wish).cancel()
        except InvalidJobOperation:
            pass  # by an earlier try, whose reply was lost
        return True

    def _delete(self, wish: Wish) -> bool:
        try:
            job = self._fetch(wish)
        except NoSuchJobError:
            self.ledger.write('gone', id=wish.id)  # right only when an earlier try has done it
            return True
        try:
            job.delete()
        except InvalidJobOperation:
            pass  # a call that redis-py repeated
        return True

    def _stop(self, wish: Wish) -> bool | str:
        job = self._fetch(wish)
        if job.get_status() in ('finished', 'failed', 'stopped'):
            return True
        try:
            send_stop_job_command(self.redis, wish.id)
        except InvalidJobOperation:
            return False  # it does not run yet
        return 'sent'

    def _requeue(self, wish: Wish) -> bool:
        job = self._fetch(wish)
        if job.get_status() != 'failed':
            return False
        try:
            job.requeue()
        except InvalidJobOperation as error:  # a call that redis-py repeated finds it requeued
            self.ledger.write('maybe', verb='requeue', id=wish.id, error=str(error)[:200])
            return False
        return True

    def _again(self, wish: Wish) -> bool:
        self._enqueue(wish)
        return True


def main() -> None:
    """From the command line of the soak."""
    parser = argparse.ArgumentParser()
    for name, kind in (
        ('url', str),
        ('seed', int),
        ('number', int),
        ('ledger', Path),
        ('until', float),
        ('pause', float),
    ):
        parser.add_argument(f'--{name}', type=kind, required=True)
    words = parser.parse_args()
    Producer(words.url, words.seed, words.number, Ledger(words.ledger)).run(words.until, words.pause)


if __name__ == '__main__':
    main()
