"""Fire each cron job once, whoever is awake, and the loop that does it when they are due.

A job's times are kept by every scheduler for itself, as in RQ. What makes a firing single is the verb `fire`: it knows
the latest one, and refuses what another scheduler has done for the same due time, or within the interval.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from rq.exceptions import SchedulerNotFound, StopRequested
from rq.rules.cron import latest_of_line
from rq.rules.timing import to_epoch
from rq.scheduling.patience import Sleeper
from rq.scheduling.server_clock import ServerClock
from rq.store import cron
from rq.store.call import is_weather, run
from rq.utils import now, safe_json_dumps


class Firing(NamedTuple):
    """One firing of one job by one scheduler; the token, which becomes the job's id, is what makes it this one."""

    owner: str
    token: str
    due: float
    begun: float


class FiredElsewhere(Exception):
    """Another scheduler has made this firing, so many seconds ago."""

    def __init__(self, age: float) -> None:
        super().__init__(f'another scheduler fired this job {age:.3f} s ago')
        self.age = age


def firing_of(job: Any, owner: str, moment: datetime) -> Firing:
    """The firing of a due job at a moment: one begun before whose reply was lost, as long as it is the same."""
    due, begun, kept = _due(job, moment), to_epoch(moment), job._firing
    if kept is not None and (begun - kept.begun < job.interval if job.interval else due == kept.due):
        return Firing(owner, kept.token, due, kept.begun)
    return Firing(owner, str(uuid4()), due, begun)


def _due(job: Any, moment: datetime) -> float:
    """For when a job is fired: after a pause for the latest of the times that passed, which covers those before."""
    times = [job.next_enqueue_time, latest_of_line(job.cron, moment) if job.cron else None]
    # A method that somebody replaced may fire before the time; that must not count as the firing to come.
    return max((to_epoch(time) for time in times if time is not None and time <= moment), default=to_epoch(moment))


def identity(job: Any) -> str:
    """What makes two cron jobs of two schedulers the same: name, queue, schedule and arguments."""
    parts = [job.queue_name, job.interval, job.cron, safe_json_dumps(job.args), safe_json_dumps(job.kwargs)]
    digest = hashlib.sha1(json.dumps(parts, default=str).encode(), usedforsecurity=False).hexdigest()
    return f'{job.name}:{digest[:16]}'


def fire(job: Any, connection: Any, pipeline: Any) -> None:
    """Run what a pipeline has collected, unless another scheduler made this firing: then `FiredElsewhere`."""
    firing = job._firing
    interval = float(job.interval) if job.interval else None
    commands = cron.commands_of(pipeline)
    done = run(connection, cron.fire(identity(job), firing.owner, firing.token, firing.due, interval, commands))
    if done.answer == 'refused':
        raise FiredElsewhere(done.age)


def serve(scheduler: Any) -> None:
    """Be a cron scheduler: birth, rounds, death."""
    sleeper = scheduler._sleeper = Sleeper(lambda: scheduler._stop_requested)
    scheduler._clock = ServerClock()
    who = f'CronScheduler {scheduler.name}'
    with sleeper.listening(scheduler.request_stop):
        try:
            sleeper.through_weather(scheduler.register_birth, who, scheduler.log)
            saved = _times(scheduler)
            while not scheduler._stop_requested:
                sleeper.through_weather(lambda: _round(scheduler, saved), who, scheduler.log)
                seconds = scheduler._clock.at_most(scheduler.calculate_sleep_interval())
                scheduler.log.debug('Sleeping for %.3f seconds...', seconds)
                sleeper.sleep(seconds)
        except (KeyboardInterrupt, StopRequested):
            pass  # raised by a method that somebody replaced
        finally:
            # not told by the signal handler: it may have interrupted a line of the log
            scheduler.log.info('%s: stopping', who)
            _leave(scheduler)


def _round(scheduler: Any, saved: list[datetime | None]) -> None:
    """Enqueue what is due, and store what that has changed: an outage may have cut off the round before."""
    _look_at_the_clock(scheduler)
    scheduler.enqueue_jobs()
    times = _times(scheduler)
    if times != saved:
        scheduler.save()
        saved[:] = times
    scheduler.heartbeat()


def _look_at_the_clock(scheduler: Any) -> None:
    """Times are the server's. An interval goes on through a change of its clock; of a cron line no time comes twice."""
    clock, is_first = scheduler._clock, not scheduler._clock.is_known
    change = clock.look(scheduler.connection)
    is_off = abs((clock.now() - now()).total_seconds()) > 1
    for job in scheduler.get_jobs():
        job._clock = clock
        if is_first and is_off and job.cron and job.latest_enqueue_time is None:
            job.next_enqueue_time = job.get_next_enqueue_time()  # it was computed by the clock of this machine
        elif change and job.interval and job.latest_enqueue_time:
            job.set_enqueue_time(job.latest_enqueue_time + timedelta(seconds=change))


def _times(scheduler: Any) -> list[datetime | None]:
    return [job.next_enqueue_time for job in scheduler.get_jobs()]


def _leave(scheduler: Any) -> None:
    try:
        scheduler.register_death()
    except SchedulerNotFound:
        pass  # somebody took us for dead and cleaned up
    except Exception as error:
        if not is_weather(error):
            raise
        scheduler.log.warning('CronScheduler %s: its entry stays until it is stale: %s', scheduler.name, error)
