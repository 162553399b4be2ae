"""Faults of the soak done to processes: killed, frozen, told to leave, out of descriptors. And all kinds together."""

import os
import random
import resource
import signal
import threading
import time
from typing import Any

from tests.crash import soak_data, soak_weather
from tests.crash.driver import alive, signal_all, tree_of
from tests.crash.soak_field import Condition, Fault, Field, Kind
from tests.crash.soak_fleet import LEAVE_SECONDS, SCHEDULING, Place, horses, nursery


def _place(chance: random.Random) -> dict[str, Any]:
    return {'place': chance.randrange(4)}


def _for_a_while(low: float, high: float) -> Any:
    return lambda chance: {**_place(chance), 'seconds': round(chance.uniform(low, high), 2)}


def _leases(low: float, high: float) -> Any:
    """A time in leases; how long that is depends on the profile."""
    return lambda chance: {**_place(chance), 'leases': round(chance.uniform(low, high), 2)}


def _kill_tree(field: Field, fault: Fault, place: Place, same_name: bool) -> Condition:
    with place.lock:
        claims = field.claims_of(place.crew.name)
        field.crash(fault, place, 'tree killed')
        place.doom(fault.name, same_name)
        place.crew.kill()
    return field.are_gone(claims)


def kill_tree(field: Field, fault: Fault, place: int, same_name: bool = False) -> Condition:
    """SIGKILL to a worker and all of its descendants."""
    return _kill_tree(field, fault, field.places[place], same_name)


def kill_all(field: Field, fault: Fault) -> Condition:
    """To all four."""
    conditions = [_kill_tree(field, fault, place, False) for place in field.places]
    return lambda: all(condition() for condition in conditions)


def kill_worker(field: Field, fault: Fault, place: int, same_name: bool) -> Condition:
    """SIGKILL to the worker alone: its horses must end by themselves."""
    one = field.places[place]
    with one.lock:
        claims, left = field.claims_of(one.crew.name), tree_of(one.crew.pid)
        field.crash(fault, one, 'worker killed')
        one.doom(fault.name, same_name)
        one.crew.signal(signal.SIGKILL)
    # children in sessions of their own have lost everybody who could know of them
    threading.Timer(12, lambda: signal_all([pid for pid in left if alive(pid)], signal.SIGKILL)).start()
    gone = field.are_gone(claims)
    busy = [pid for pid in left if pid in field.watch.running()]
    return lambda: gone() and not any(alive(pid) for pid in busy)


def kill_horse(field: Field, fault: Fault, place: int, how: str) -> None:
    """A signal to one horse, the one that runs a job if there is one."""
    one = field.places[place]
    with one.lock:
        met = horses(one, field.watch)[:1]
        field.crash(fault, one, f'horse {met} got {how}')
        signal_all(met, getattr(signal, how))


def kill_nursery(field: Field, fault: Fault, place: int) -> None:
    """SIGKILL to the process that forks the horses."""
    one = field.places[place]
    with one.lock:
        met = nursery(one)
        field.crash(fault, one, f'nursery {met} killed')
        if met:
            os.kill(met, signal.SIGKILL)


def kill_scheduler(field: Field, fault: Fault) -> None:
    """SIGKILL to the scheduler process of the last worker: it holds the locks of the queues."""
    one = field.places[SCHEDULING]
    with one.lock:
        mother, busy = nursery(one), field.watch.running()
        met = [pid for pid in tree_of(one.crew.pid) if pid != mother and pid not in busy]
        direct = [pid for pid in met if f'\nPPid:\t{one.crew.pid}\n' in _status(pid)]
        field.crash(fault, one, f'scheduler {direct} killed')
        signal_all(direct, signal.SIGKILL)


def _status(pid: int) -> str:
    try:
        with open(f'/proc/{pid}/status') as file:
            return file.read()
    except OSError:
        return ''


def _freeze(field: Field, fault: Fault, place: Place, who: str, seconds: float) -> None:
    with place.lock:
        crew = place.crew
        tree = tree_of(crew.pid)
        met = {'worker': [crew.pid], 'tree': [*tree, crew.pid], 'horse': horses(place, field.watch)[:1]}.get(who)
        met = [one for one in [nursery(place)] if one] if met is None else met
        if seconds > field.lease / 3:  # it renews six times a lease, but on a busy machine late
            field.crash(fault, place, f'{who} frozen for {seconds:g} s')
        signal_all(met, signal.SIGSTOP)
    time.sleep(seconds)
    # what it forked in between, and an orphan whose worker was killed meanwhile, goes on too
    signal_all([pid for pid in met if alive(pid)], signal.SIGCONT)


def freeze(field: Field, fault: Fault, place: int, who: str, leases: float) -> None:
    """SIGSTOP, and SIGCONT some leases later."""
    _freeze(field, fault, field.places[place], who, leases * field.lease)


def freeze_horse(field: Field, fault: Fault, place: int, who: str, seconds: float) -> None:
    """The same for processes that hold no lease."""
    one = field.places[place]
    field.crash(fault, one, f'{who} frozen')  # its job may run into its timeout
    _freeze(field, fault, one, who, seconds)


def tell_to_leave(field: Field, fault: Fault, place: int, how: str) -> None:
    """SIGTERM: once, twice (the second is a cold stop), or to every process at once, as systemd does."""
    one = field.places[place]
    with one.lock:
        if one.doomed:
            fault.note = 'it was leaving already'
            return
        crew = one.crew
        one.doom(fault.name)
        if 'Listening' in crew.text():  # a newborn may not have its handlers yet, and dies of the signal
            one.leave_by = time.monotonic() + LEAVE_SECONDS
        field.warm_stop(fault, one)
        signal_all([crew.pid, *(tree_of(crew.pid) if how == 'all' else [])], signal.SIGTERM)
    if how == 'twice':
        time.sleep(1.5)
        with one.lock:
            if one.crew is crew and crew.process.poll() is None:
                field.crash(fault, one, 'cold stop')
                one.leave_by = 0.0  # a cold stop may end with another code
                crew.signal(signal.SIGTERM)


def lower_descriptors(field: Field, fault: Fault, place: int, seconds: float, number: int) -> None:
    """RLIMIT_NOFILE of the worker goes below what it has open."""
    one = field.places[place]
    with one.lock:
        crew = one.crew
    while 'Listening' not in crew.text():
        if crew.process.poll() is not None or field.is_late(fault):
            fault.note = 'it did not come up'  # who is being born needs descriptors
            return
        time.sleep(0.1)
    before = resource.prlimit(crew.pid, resource.RLIMIT_NOFILE, (number, _hard(crew.pid)))
    time.sleep(seconds)
    if crew.process.poll() is None:
        resource.prlimit(crew.pid, resource.RLIMIT_NOFILE, before)


def _hard(pid: int) -> int:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]


def _same(chance: random.Random) -> dict[str, Any]:
    return {**_place(chance), 'same_name': chance.random() < 0.5}


PROCESSES = [
    Kind('A', 'horse SIGKILL', 2, lambda c: {**_place(c), 'how': 'SIGKILL'}, kill_horse),
    Kind('A', 'horse SIGSEGV', 1, lambda c: {**_place(c), 'how': 'SIGSEGV'}, kill_horse),
    Kind('A', 'nursery SIGKILL', 1.5, _place, kill_nursery),
    Kind('A', 'horse frozen', 1, lambda c: {**_for_a_while(1, 4)(c), 'who': 'horse'}, freeze_horse),
    Kind('A', 'nursery frozen', 0.7, lambda c: {**_for_a_while(1, 4)(c), 'who': 'nursery'}, freeze_horse),
    Kind('B', 'worker SIGKILL', 2, _same, kill_worker),
    Kind('B', 'tree SIGKILL', 3, _same, kill_tree),
    Kind('B', 'all trees SIGKILL', 0.5, lambda c: {}, kill_all),
    Kind('B', 'worker frozen, short', 1, lambda c: {**_leases(0.1, 0.6)(c), 'who': 'worker'}, freeze),
    Kind('B', 'worker frozen, long', 1.5, lambda c: {**_leases(1.2, 3)(c), 'who': 'worker'}, freeze),
    Kind('B', 'tree frozen, short', 1, lambda c: {**_leases(0.1, 0.6)(c), 'who': 'tree'}, freeze),
    Kind('B', 'tree frozen, long', 1.5, lambda c: {**_leases(1.2, 3)(c), 'who': 'tree'}, freeze),
    Kind('B', 'warm stop', 1, lambda c: {**_place(c), 'how': 'once'}, tell_to_leave),
    Kind('B', 'cold stop', 1, lambda c: {**_place(c), 'how': 'twice'}, tell_to_leave),
    Kind('B', 'SIGTERM to all', 1, lambda c: {**_place(c), 'how': 'all'}, tell_to_leave),
    Kind('G', 'scheduler SIGKILL', 0.7, lambda c: {}, kill_scheduler),
    Kind(
        'I',
        'no descriptors',
        1.2,
        lambda c: {**_for_a_while(2, 5)(c), 'number': c.choice([3, 10, 14])},
        lower_descriptors,
    ),
]


def all_kinds() -> list[Kind]:
    """Every kind of every group."""
    return [*PROCESSES, *soak_weather.WEATHERS, *soak_data.DATA]
