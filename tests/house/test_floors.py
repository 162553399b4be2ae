"""Who may import whom: floors, circles, the staircase, and who may know Redis.

The table FLOORS is the law (design, section 3): a room imports lower floors, and on its own floor what stands
left of it. Annotation-only imports count.
"""

import ast
import sys
from pathlib import Path

import pytest

from tests.house.tree import HOUSE, Import, imports, modules, parse, plant

NAMEPLATES = (
    *('repeat', 'dependency', 'job_lifecycle', 'local', 'maintenance', 'scripts'),
    *('worker_registration', 'cron_scheduler_registry', 'cron_job_registry'),
)
OLD_ADDRESSES = ('compat', 'handlers', 'dummy', 'contrib')  # of 0.x
FLOORS: tuple[tuple[str, ...], ...] = (
    ('defaults', 'exceptions', 'types', 'timeouts', 'forking', 'timers', 'version', 'stairs'),
    (
        'rules',
        'serializers',
        'connections',
        'eras',
        'callbacks',
        'posting',
        'webhook',
        'outlet',
        'logutils',
        'loglines',
        'utils',
        'provenance',
    ),
    ('store',),
    ('failure', 'perform'),
    (
        *(
            'results',
            'attempts',
            'executions',
            'suspension',
            'rate_limit',
            'standing',
            'verbs',
            'dependencies',
            'job',
            'detached',
            'registry',
        ),
        *('execution_registry', 'command', 'intermediate_queue', 'queue_view', 'queue_dependents', 'entering'),
        *('express', 'entering_many', 'queue', 'aio', 'group', 'decorators', 'inspector', 'bulk', 'failures'),
    ),
    ('executors', 'supervision', 'scheduling', 'scheduler', 'cron', 'worker', 'worker_pool'),
    (*NAMEPLATES, 'testing', 'legacy', *OLD_ADDRESSES, 'metrics', 'dashboard', 'demo', 'cli', '__main__', 'rq'),
)
PLACES = {room: (floor, place) for floor, rooms in enumerate(FLOORS) for place, room in enumerate(rooms)}
APART = 'devserver'  # beside the floors: it may use the ground only
APART_USES = ('defaults', 'exceptions')
FRONT = 'rq'  # rq/__init__.py, the lazy door
RESERVED = {
    'legacy': ('cli', FRONT, *OLD_ADDRESSES),
    'dashboard': ('cli', FRONT),
    'metrics': ('cli', FRONT),
    APART: ('cli', 'demo', 'connections', FRONT),
}
KNOWS_REDIS = ('rq.connections', 'rq.store.call', 'rq.store.wait', 'rq.store.channel')
REQUIRED_PACKAGES = ('redis', 'click', 'croniter')
# Where an import may stand in a function: module -> what it may import there (None: anything).
LATE: dict[str, tuple[str, ...] | None] = {
    'rq.stairs': None,
    'rq': None,
    'rq.connections': ('rq.devserver',),
}
IMPURE = (
    *('os', 'time', 'threading', '_thread', 'logging', 'asyncio', 'multiprocessing', 'subprocess'),
    *('socket', 'concurrent', 'redis'),
)


def room_of(module: str) -> str:
    """The room of a module: its first name below `rq`, or `rq` for the front door."""
    return module.split('.')[1] if '.' in module else FRONT


def floor_violations(house: Path) -> list[str]:
    """Imports that run upward, sideways to the right, or into a reserved room."""
    known = modules(house)
    found = []
    for name, path in known.items():
        room = room_of(name)
        if room not in PLACES and room != APART:
            found.append(f'{name} has no place: put {room!r} into FLOORS of tests/house/test_floors.py')
            continue
        if name == 'rq.stairs':
            continue
        for each in imports(name, path, known):
            reason = _wrong(room, each)
            if reason:
                found.append(f'{name}:{each.line} imports {each.target}: {reason}')
    return found


def _wrong(room: str, each: Import) -> str | None:
    """Why `room` must not import that, or None."""
    if each.target != 'rq' and not each.target.startswith('rq.'):
        return None
    target = room_of(each.target)
    if target == room:
        return None
    if target in RESERVED and room not in RESERVED[target]:
        return f'only {", ".join(RESERVED[target])} may'
    if target == APART:
        return None
    if room == APART:
        return None if target in APART_USES else f'{APART} uses only {", ".join(APART_USES)} of ours'
    if target not in PLACES:
        return 'no such room'
    if PLACES[target] >= PLACES[room]:
        return 'it stands higher, or to the right'
    if target == 'inspector' and PLACES[room][0] == PLACES['worker'][0]:
        return 'the engine never looks through the inspector'
    return None


def circles(house: Path) -> list[str]:
    """Modules that import each other in a circle, the staircase left out."""
    known = modules(house)
    graph = {
        name: sorted({each.target for each in imports(name, path, known)} & set(known) - {name})
        for name, path in known.items()
        if name != 'rq.stairs'
    }
    done: set[str] = set()
    found = []

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append(' -> '.join([*trail[trail.index(name) :], name]))
            return
        if name in done or name not in graph:
            return
        for target in graph[name]:
            visit(target, [*trail, name])
        done.add(name)

    for name in graph:
        visit(name, [])
    return found


def late_imports(house: Path) -> list[str]:
    """Imports inside functions that are neither on the staircase nor of an optional package."""
    known = modules(house)
    found = []
    for name, path in known.items():
        for each in imports(name, path, known):
            if not each.in_function:
                continue
            allowed = LATE.get(name, ())
            if allowed is None or each.target in allowed or _optional(each.target):
                continue
            found.append(f'{name}:{each.line} imports {each.target} in a function')
    return found


def _optional(target: str) -> bool:
    top = target.partition('.')[0]
    return top != 'rq' and top not in REQUIRED_PACKAGES and top not in sys.stdlib_module_names


def redis_imports(house: Path) -> list[str]:
    """Imports of redis, other than for annotations, where Redis is not known."""
    known = modules(house)
    return [
        f'{name}:{each.line} imports redis'
        for name, path in known.items()
        if name not in KNOWS_REDIS and room_of(name) != APART
        for each in imports(name, path, known)
        if each.target == 'redis' and not each.annotation_only
    ]


def impure_rules(house: Path) -> list[str]:
    """What rules/ must not touch: Redis, the system, threads, logging, the clock."""
    known = modules(house)
    found = []
    for name, path in known.items():
        if room_of(name) != 'rules':
            continue
        found += [
            f'{name}:{each.line} imports {each.target}'
            for each in imports(name, path, known)
            if each.target in IMPURE and not each.annotation_only
        ]
        found += [
            f'{name}:{node.lineno} reads the clock'
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ('now', 'utcnow', 'today')
        ]
    return found


LAWS = [floor_violations, circles, late_imports, redis_imports, impure_rules]


@pytest.mark.parametrize('law', LAWS)
def test_law(law) -> None:
    broken = law(HOUSE)
    assert not broken, '\n' + '\n'.join(broken)


TYPING = 'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    '


@pytest.mark.parametrize(
    'law, files',
    [
        (floor_violations, {'store/call.py': 'from rq.job import Job', 'job.py': ''}),
        (floor_violations, {'store/call.py': TYPING + 'from rq.job import Job', 'job.py': ''}),
        (floor_violations, {'store/call.py': 'from rq import job', 'job.py': ''}),
        (floor_violations, {'store/call.py': 'from ..job import Job', 'job.py': ''}),
        (floor_violations, {'store/call.py': 'import rq.job', 'job.py': ''}),
        (floor_violations, {'store/call.py': "import importlib\nimportlib.import_module('rq.job')"}),
        (floor_violations, {'job.py': 'from rq.queue import Queue', 'queue.py': ''}),
        (floor_violations, {'job.py': 'from rq import Queue', '__init__.py': ''}),
        (floor_violations, {'worker/base.py': 'import rq.inspector', 'inspector/__init__.py': ''}),
        (floor_violations, {'dashboard/x.py': 'import rq.legacy', 'legacy/__init__.py': ''}),
        (floor_violations, {'devserver/x.py': 'import rq.serializers', 'serializers.py': ''}),
        (floor_violations, {'job.py': 'import rq.devserver', 'devserver/__init__.py': ''}),
        (floor_violations, {'new_room.py': ''}),
        (circles, {'store/a.py': 'import rq.store.b', 'store/b.py': 'from rq.store import a'}),
        (circles, {'store/a.py': TYPING + 'import rq.store.b', 'store/b.py': 'import rq.store.a'}),
        (circles, {'store/a.py': 'def f():\n    import rq.store.b', 'store/b.py': 'import rq.store.a'}),
        (late_imports, {'job.py': 'def f():\n    import rq.store'}),
        (late_imports, {'job.py': 'def f():\n    import json'}),
        (late_imports, {'job.py': 'class A:\n    async def f(self):\n        import redis'}),
        (late_imports, {'connections.py': 'def f():\n    import rq.store'}),
        (redis_imports, {'job.py': 'import redis'}),
        (redis_imports, {'store/keys.py': 'from redis.exceptions import RedisError'}),
        (impure_rules, {'rules/a.py': 'import time'}),
        (impure_rules, {'rules/a.py': 'from datetime import datetime\ndatetime.now()'}),
    ],
)
def test_law_can_be_broken(law, files: dict[str, str], tmp_path: Path) -> None:
    assert len(law(plant(tmp_path, files))) == 1


@pytest.mark.parametrize('law', LAWS)
def test_lawful(law, tmp_path: Path) -> None:
    files = {
        '__init__.py': 'def __getattr__(name):\n    import rq.legacy',
        'legacy/__init__.py': '',
        'stairs.py': TYPING + 'import rq.job\ndef f():\n    import rq.job',
        'connections.py': 'import redis\ndef f():\n    from rq.devserver import serve',
        'devserver/__init__.py': 'import redis, time\nfrom rq.defaults import A',
        'defaults.py': 'import os',
        'rules/a.py': 'from datetime import datetime',
        'store/call.py': 'import redis\nfrom rq.store import keys\nfrom rq.rules import a',
        'store/keys.py': TYPING + 'from redis import Redis\ntry:\n    import hiredis\nexcept ImportError: pass',
        'job.py': 'from rq import stairs\nimport rq.store.call\ndef f():\n    import setproctitle',
    }
    assert law(plant(tmp_path, files)) == []
