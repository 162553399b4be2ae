"""CronScheduler in this process: what is due, each firing once, the books, the config."""

import signal
import threading
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from rq import Queue
from rq.cron import CronJob, CronScheduler
from rq.exceptions import StopRequested
from rq.utils import now
from tests.jobs import add
from tests.waiting import wait_until

numbers = count()
YEARLY = 'CRON_TZ=UTC 0 0 1 1 *'
HOURLY = 'CRON_TZ=UTC 0 * * * *'


def scheduler(redis, **jobs):
    made = CronScheduler(redis, name=f's{next(numbers)}')
    if jobs:
        made.register(add, 'q', **jobs)
    return made


def ids(redis):
    return Queue('q', connection=redis).job_ids


def overdue(one, **ago):
    """As a test, or a pause, makes it."""
    (job,) = one.get_jobs()
    job.next_enqueue_time = now() - timedelta(**ago or {'seconds': 1})
    return job


# --- what is due ------------------------------------------------------------------------------------------------


def test_interval_jobs_run_at_once_then_wait(redis):
    one = scheduler(redis, interval=60)
    (job,) = one.get_jobs()
    before = now()
    assert one.enqueue_jobs() == [job]
    assert before <= job.latest_enqueue_time <= now()
    assert job.next_enqueue_time == job.latest_enqueue_time + timedelta(seconds=60)
    assert one.enqueue_jobs() == []
    assert len(ids(redis)) == 1


def test_cron_jobs_wait_for_their_time(redis):
    one = scheduler(redis, cron=YEARLY)
    assert one.enqueue_jobs() == []
    job = overdue(one)
    assert one.enqueue_jobs() == [job]
    assert job.next_enqueue_time == datetime(now().year + 1, 1, 1, tzinfo=UTC)


def test_one_round_has_one_time(redis):
    one = scheduler(redis, interval=60)
    one.register(add, 'r', interval=60)
    first, second = one.enqueue_jobs()
    assert first.latest_enqueue_time == second.latest_enqueue_time


@pytest.mark.parametrize('words', [{'interval': 60}, {'cron': YEARLY}])
def test_one_that_cannot_be_enqueued_keeps_back_no_other(redis, caplog, words):
    one = CronScheduler(redis, name=f's{next(numbers)}')
    bad = one.register(add, 'q', args=(threading.Lock(),), **words)
    good = one.register(add, 'q', interval=60)
    if bad.cron:
        bad.next_enqueue_time = now() - timedelta(seconds=1)
    before = now()
    assert one.enqueue_jobs() == [good] and len(ids(redis)) == 1
    assert 'Failed to enqueue cron job tests.jobs.add' in caplog.text and 'pickle' in caplog.text
    # it has its turn again when it would have had, and does not keep the loop awake
    assert bad.latest_enqueue_time is None and bad.next_enqueue_time >= before + timedelta(seconds=60)
    assert one.enqueue_jobs() == [] and one.calculate_sleep_interval() > 50
    bad.args, bad.next_enqueue_time = (1, 2), now()
    assert one.enqueue_jobs() == [bad]


def test_who_sets_the_time_back_gets_another(redis):
    """Programs and tests of RQ do: only what another scheduler has done is refused."""
    for words in ({'interval': 60}, {'cron': YEARLY}):
        one = scheduler(redis, **words)
        for _ in range(3):
            job = overdue(one)
            assert one.enqueue_jobs() == [job]
    assert len(ids(redis)) == 6


def test_sleep(redis):
    one = scheduler(redis)
    assert one.calculate_sleep_interval() == 60
    one.register(add, 'q', interval=30)
    assert one.calculate_sleep_interval() == 60
    one.enqueue_jobs()
    assert 29 < one.calculate_sleep_interval() <= 30
    overdue(one)
    assert one.calculate_sleep_interval() == 0
    overdue(one, days=-1)
    assert one.calculate_sleep_interval() == 60


# --- once, however many are awake -------------------------------------------------------------------------------


def test_a_cron_firing_is_made_once(redis):
    awake = [scheduler(redis, cron=HOURLY) for _ in range(4)]
    hour = now().replace(minute=0, second=0, microsecond=0)
    for one in awake:
        one.get_jobs()[0].next_enqueue_time = hour
    assert [len(one.enqueue_jobs()) for one in awake] == [1, 0, 0, 0]
    assert len(ids(redis)) == 1
    for one in awake:  # all wait for the next one, none hurries in circles
        assert one.get_jobs()[0].next_enqueue_time >= hour + timedelta(hours=1)
        assert one.calculate_sleep_interval() > 0


def test_after_a_pause_one_catch_up(redis):
    awake = [scheduler(redis, cron=HOURLY) for _ in range(3)]
    for one, hours in zip(awake, (10, 7, 3), strict=True):
        overdue(one, hours=hours)
    assert [len(one.enqueue_jobs()) for one in awake] == [1, 0, 0]


def test_who_woke_late_makes_what_nobody_made(redis):
    one, other = scheduler(redis, cron=HOURLY), scheduler(redis, cron=HOURLY)
    hour = now().replace(minute=0, second=0, microsecond=0)
    one.get_jobs()[0].next_enqueue_time = hour - timedelta(hours=5)
    # as it was five hours ago; then it died, and the other one was frozen
    assert one._fire(one.get_jobs()[0], hour - timedelta(hours=4, minutes=59))
    other.get_jobs()[0].next_enqueue_time = hour - timedelta(hours=5)
    assert len(other.enqueue_jobs()) == 1


def test_an_interval_is_shared(redis):
    one, other = scheduler(redis, interval=60), scheduler(redis, interval=60)
    one.enqueue_jobs()
    assert other.enqueue_jobs() == []
    (ours,), (theirs,) = one.get_jobs(), other.get_jobs()
    assert abs((theirs.latest_enqueue_time - ours.latest_enqueue_time).total_seconds()) < 1
    assert abs((theirs.next_enqueue_time - ours.next_enqueue_time).total_seconds()) < 1
    assert 58 < other.calculate_sleep_interval() <= 60


@pytest.mark.parametrize(
    'words', [{'interval': 30}, {'args': (1,)}, {'name': 'other'}, {'kwargs': {'y': 2}}], ids=lambda words: [*words][0]
)
def test_other_jobs_are_not_the_same(redis, words):
    one, other = scheduler(redis, interval=60), scheduler(redis, **({'interval': 60} | words))
    one.enqueue_jobs()
    assert len(other.enqueue_jobs()) == 1


def test_other_databases_are_other_worlds(redis, server):
    with Redis(unix_socket_path=str(server.socket), db=1) as elsewhere:
        assert [len(scheduler(client, interval=60).enqueue_jobs()) for client in (redis, elsewhere)] == [1, 1]


class LosesReplies:
    """A client whose next replies of scripts never arrive."""

    def __init__(self, redis, lost):
        self.redis, self.lost = redis, lost

    def __getattr__(self, name):
        return getattr(self.redis, name)

    def execute_command(self, *words):
        reply = self.redis.execute_command(*words)
        if self.lost:
            self.lost -= 1
            raise ConnectionError('the reply is lost')
        return reply


def test_a_lost_reply_makes_no_second_job(redis):
    one = scheduler(LosesReplies(redis, 0), interval=60)
    one.register(add, 'r', interval=60)
    one.enqueue_jobs()
    redis.flushall()
    for job in one.get_jobs():
        job.next_enqueue_time = now()
    one.connection.lost = 1
    with pytest.raises(ConnectionError):
        one.enqueue_jobs()
    assert (len(ids(redis)), Queue('r', connection=redis).count) == (1, 0)
    one.enqueue_jobs()
    assert (len(ids(redis)), Queue('r', connection=redis).count) == (1, 1)
    # and the firing after that is another one
    assert one.enqueue_jobs() == []
    overdue_job = one.get_jobs()[0]
    overdue_job.next_enqueue_time = now()
    assert one.enqueue_jobs() == [overdue_job]
    assert len(ids(redis)) == 2


def test_what_another_did_after_a_lost_reply(redis):
    one, other = scheduler(LosesReplies(redis, 0), cron=HOURLY), scheduler(redis, cron=HOURLY)
    hour = now().replace(minute=0, second=0, microsecond=0)
    (job,), (other_job,) = one.get_jobs(), other.get_jobs()
    job.next_enqueue_time = hour - timedelta(hours=2)
    one.connection.lost = 1
    with pytest.raises(ConnectionError):
        one._fire(job, hour - timedelta(hours=2))
    first = ids(redis)
    assert other._fire(other_job, hour - timedelta(hours=1))
    assert one.enqueue_jobs() == [job]  # that of this hour, which is another job
    assert len({*ids(redis)}) == len(ids(redis)) == 3
    assert ids(redis)[:1] == first
    assert (len(one.enqueue_jobs()), len(other.enqueue_jobs())) == (0, 0)


def test_an_interval_after_a_lost_reply(redis):
    one = scheduler(LosesReplies(redis, 0), interval=60)
    (job,) = one.get_jobs()
    for ago, made in ((130, 1), (100, 1), (60, 2)):  # within the interval it is the same firing, afterwards another
        one.connection.lost = 1
        with pytest.raises(ConnectionError):
            one._fire(job, now() - timedelta(seconds=ago))
        assert len(ids(redis)) == made
    assert one.enqueue_jobs() == [job]


def test_methods_that_others_replace_are_called(redis, monkeypatch):
    called = []
    original = Queue.enqueue_job

    def traced(self, job, **words):
        job.meta['trace'] = 'x'
        called.append(job.id)
        return original(self, job, **words)

    monkeypatch.setattr(Queue, 'enqueue_job', traced)
    one = scheduler(redis, interval=60)
    one.enqueue_jobs()
    assert called == ids(redis)
    assert Queue('q', connection=redis).jobs[0].meta == {'trace': 'x'}

    class Mine(CronJob):
        def enqueue(self, connection):
            called.append('mine')

    one._cron_jobs[:] = [Mine('q', add, interval=60)]
    assert len(one.enqueue_jobs()) == 1
    assert called[-1] == 'mine'


# --- the loop, in this process ----------------------------------------------------------------------------------


@pytest.mark.parametrize('error', [StopRequested, KeyboardInterrupt])
def test_methods_may_ask_to_stop(redis, monkeypatch, error):
    one = scheduler(redis, interval=60)
    rounds = iter([[], error()])

    def enqueue_jobs():
        assert CronScheduler.all(redis) == [one]
        answer = next(rounds)
        if answer:
            raise answer

    monkeypatch.setattr(one, 'enqueue_jobs', enqueue_jobs)
    monkeypatch.setattr(one, 'calculate_sleep_interval', lambda: 0)
    one.start()
    assert (next(rounds, None), CronScheduler.all(redis)) == (None, [])


def test_other_errors_leave(redis, monkeypatch):
    one = scheduler(redis, interval=60)
    monkeypatch.setattr(one, 'enqueue_jobs', lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.start()
    assert CronScheduler.all(redis) == []


def test_in_another_thread(redis):
    one = scheduler(redis, interval=60)
    thread = threading.Thread(target=one.start)
    thread.start()
    wait_until(lambda: ids(redis))
    one.request_stop()
    thread.join(10)
    assert not thread.is_alive()
    assert CronScheduler.all(redis) == []


def test_a_loop_of_a_subclass(redis):
    """rq-rediscron has one: signals raise in it."""
    one = scheduler(redis)
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        one._install_signal_handlers()
        for signum in before:
            with pytest.raises(StopRequested):
                signal.raise_signal(signum)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
