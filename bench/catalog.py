"""Who is measured, with which command, in which suites: all of it data. A new setting is one line here."""

from __future__ import annotations

from dataclasses import dataclass, field

#: suite -> what it measures
SUITES = {
    'fresh': 'a new process per job, one at a time',
    'reused': 'one process for many jobs, one at a time',
    'batched': 'the same, jobs claimed and settled several at once (ours only)',
    'cores': 'no-op jobs on both cores, best setting',
    'failing': 'jobs that fail for good, one at a time',
    'retry': 'jobs that fail twice, then succeed; executions per second',
    'io': 'jobs that wait 50 ms, 100 side by side',
    'enqueue': 'one call a job, one producer',
    'bulk': 'calls of 1,000 jobs, one producer',
    'latency': 'idle worker, call to start of the job; memory of the idle worker',
}
#: what the jobs of a suite do
KINDS = {'failing': 'fail', 'retry': 'retry', 'io': 'io'}
ONE = ('reused', 'failing', 'retry', 'latency')
PRODUCERS = ('enqueue', 'bulk')
NOTHING: dict[str, str] = {}


@dataclass(frozen=True)
class Variant:
    """One setting of one queue."""

    name: str
    command: str  # its first word is a program of the environment
    suites: tuple[str, ...]
    rate: int  # no-op jobs a second, roughly: sizes the first run
    note: str = ''
    settings: dict[str, str] = field(default_factory=dict)
    isolation: str = 'used again'
    acknowledges: bool = True  # a job is off the books only after it ran
    stores: bool = True  # the outcome is stored
    io_jobs: int = 2000


@dataclass(frozen=True)
class Count:
    """How outcomes show in the server: a command on a key, or `keys` of a pattern; `left`: of what is not done."""

    command: str
    key: str = ''
    left: bool = False


@dataclass(frozen=True)
class Peer:
    """One queue."""

    name: str
    title: str
    adapter: str
    packages: tuple[str, ...]
    variants: tuple[Variant, ...]
    counts: dict[str, Count]  # kind of job -> where its outcomes show; '' for every other kind; missing: nowhere
    bulk: bool = False
    python: tuple[int, int] = (3, 11)
    early: bool = False  # only pre-releases are published
    core: str = 'Python'


RQ_COUNTS = {'': Count('zcard', 'rq:finished:default'), 'fail': Count('zcard', 'rq:failed:default')}
COROUTINES = {'BENCH_COROUTINES': '1'}

OURS = Peer(
    'ours',
    'this project',
    'on_rq',
    ('rq', 'hiredis', 'setproctitle'),
    (
        Variant('fork', 'rq worker', ('fresh', 'latency'), 400, 'the default', isolation='fresh'),
        Variant('inline', 'rq worker -q --executor inline', ONE, 4000, 'in the worker itself'),
        Variant('prefork', 'rq worker -q --executor prefork', ONE, 3000, 'one horse used again'),
        Variant(
            'inline, batches',
            'rq worker -q --executor inline --batch-ms 20',
            ('batched', 'failing', 'retry'),
            10000,
            '--batch-ms 20',
        ),
        Variant(
            'prefork, batches', 'rq worker -q --executor prefork --batch-ms 20', ('batched',), 10000, '--batch-ms 20'
        ),
        Variant('2 inline', 'rq worker-pool -q -n 2 --executor inline', ('cores',), 7000, 'one by one'),
        Variant('2 inline, batches', 'rq worker-pool -q -n 2 --executor inline --batch-ms 20', ('cores',), 15000),
        Variant('2 horses', 'rq worker -q --executor prefork --concurrency 2', ('cores',), 5000, 'one worker'),
        Variant('2 prefork', 'rq worker-pool -q -n 2 --executor prefork --batch-ms 20', ('cores',), 10000, 'batches'),
        Variant(
            'threads',
            'rq worker -q --executor thread --concurrency 100',
            ('io',),
            2000,
            '100; no line for each job, as with Dramatiq (huey: two)',
            isolation='threads',
        ),
        Variant(
            'async',
            'rq worker -q --executor async --concurrency 100',
            ('io',),
            2000,
            '100; no line for each job, as with Dramatiq (huey: two)',
            COROUTINES,
            'coroutines',
        ),
        Variant(
            '2 async',
            'rq worker-pool -q -n 2 --executor async --concurrency 100',
            ('cores',),
            15000,
            '100 each',
            COROUTINES,
            'coroutines',
        ),
        Variant('producer', '', PRODUCERS, 10000),
    ),
    RQ_COUNTS,
    bulk=True,
)
RQ3 = Peer(
    'rq',
    'RQ 3.0',
    'on_rq',
    ('rq==3.0.0', 'hiredis'),
    (
        Variant('fork', 'rq worker', ('fresh', 'latency'), 70, 'the default', isolation='fresh'),
        Variant('simple', 'rq worker -w rq.worker.SimpleWorker', ONE, 400, 'SimpleWorker', io_jobs=40),
        Variant('2 simple', 'rq worker-pool -n 2 -w rq.worker.SimpleWorker', ('cores',), 480, 'SimpleWorker'),
        Variant('2 workers', 'rq worker-pool -n 2', ('io',), 30, 'no more side by side', isolation='fresh', io_jobs=60),
        Variant('producer', '', PRODUCERS, 3500),
    ),
    RQ_COUNTS,
    bulk=True,
)

PREFETCH = {'dramatiq_queue_prefetch': '64'}
DRAMATIQ = Peer(
    'dramatiq',
    'Dramatiq',
    'on_dramatiq',
    ('dramatiq[redis]', 'hiredis'),
    (
        Variant('1 thread', 'dramatiq -p 1 -t 1 on_dramatiq', ONE, 2600, 'prefetch 64', PREFETCH, stores=False),
        Variant(
            '1 thread, results',
            'dramatiq -p 1 -t 1 on_dramatiq',
            ('reused',),
            2000,
            'prefetch 64',
            {**PREFETCH, 'BENCH_RESULTS': '1'},
        ),
        Variant(
            '2 processes', 'dramatiq -p 2 -t 1 on_dramatiq', ('cores',), 4200, 'prefetch 64', PREFETCH, stores=False
        ),
        Variant(
            '2 x 8 threads', 'dramatiq -p 2 -t 8 on_dramatiq', ('cores',), 3800, '', NOTHING, 'threads', True, False
        ),
        Variant('100 threads', 'dramatiq -p 1 -t 100 on_dramatiq', ('io',), 2000, '', NOTHING, 'threads', True, False),
        Variant('producer', '', PRODUCERS, 8600),
    ),
    {'': Count('hlen', 'dramatiq:default.msgs', left=True), 'fail': Count('hlen', 'dramatiq:default.XQ.msgs')},
)
HUEY = Peer(
    'huey',
    'huey',
    'on_huey',
    ('huey', 'redis', 'hiredis'),
    (
        Variant('1 process', 'huey_consumer on_huey.huey -k process -w 1', ONE, 2500, acknowledges=False),
        Variant('1 thread', 'huey_consumer on_huey.huey -k thread -w 1', ('reused',), 1900, acknowledges=False),
        Variant('2 processes', 'huey_consumer on_huey.huey -k process -w 2', ('cores',), 3800, acknowledges=False),
        Variant(
            '100 threads', 'huey_consumer on_huey.huey -k thread -w 100', ('io',), 1500, '', NOTHING, 'threads', False
        ),
        Variant('producer', '', PRODUCERS, 15000),
    ),
    {'': Count('hlen', 'huey.results.bench')},
)
CELERY_WORDS = '--without-gossip --without-mingle --without-heartbeat'
CELERY = Peer(
    'celery',
    'Celery',
    'on_celery',
    ('celery[redis]', 'hiredis'),
    (
        Variant('prefork 1', f'celery -A on_celery worker -c 1 {CELERY_WORDS}', ONE, 900, acknowledges=False),
        Variant(
            'prefork 1, acks late',
            f'celery -A on_celery worker -c 1 {CELERY_WORDS}',
            ('reused',),
            800,
            '',
            {'BENCH_ACKS_LATE': '1'},
        ),
        Variant(
            'prefork 2',
            f'celery -A on_celery worker -c 2 {CELERY_WORDS}',
            ('cores',),
            1000,
            'prefetch 64',
            {'BENCH_PREFETCH': '64'},
            acknowledges=False,
        ),
        Variant(
            '100 threads',
            f'celery -A on_celery worker -P threads -c 100 {CELERY_WORDS}',
            ('io',),
            800,
            '',
            NOTHING,
            'threads',
            False,
            io_jobs=1000,
        ),
        Variant('producer', '', PRODUCERS, 1900),
    ),
    {'': Count('keys', 'celery-task-meta-*')},
)
SAQ = Peer(
    'saq',
    'SAQ',
    'on_saq',
    ('saq[redis,hiredis]', 'typing_extensions'),
    (
        Variant('1', 'saq on_saq.settings', ONE, 1000, 'concurrency 1', isolation='coroutines'),
        Variant(
            '2 workers',
            'saq on_saq.settings --workers 2',
            ('cores',),
            2700,
            'concurrency 10',
            {'BENCH_CONCURRENCY': '10'},
            'coroutines',
        ),
        Variant(
            '100', 'saq on_saq.settings', ('io',), 1200, 'concurrency 100', {'BENCH_CONCURRENCY': '100'}, 'coroutines'
        ),
        Variant('producer', '', PRODUCERS, 5000),
    ),
    {'': Count('zcard', 'saq:default:incomplete', left=True)},
)
LISTS = {'BENCH_LISTS': '1'}
TASKIQ = Peer(
    'taskiq',
    'taskiq',
    'on_taskiq',
    ('taskiq[uv,orjson]', 'taskiq-redis', 'hiredis'),
    (
        Variant(
            'stream',
            'taskiq worker -w 1 --max-async-tasks 1 on_taskiq:broker',
            ONE,
            1600,
            'streams',
            NOTHING,
            'coroutines',
        ),
        Variant(
            'list',
            'taskiq worker -w 1 --max-async-tasks 1 on_taskiq:broker',
            ('reused',),
            1700,
            'lists',
            LISTS,
            'coroutines',
            False,
        ),
        Variant('stream, 2', 'taskiq worker -w 2 on_taskiq:broker', ('cores',), 2600, 'streams', NOTHING, 'coroutines'),
        Variant(
            'list, 2', 'taskiq worker -w 2 on_taskiq:broker', ('cores',), 2600, 'lists', LISTS, 'coroutines', False
        ),
        Variant(
            '100',
            'taskiq worker -w 1 --max-async-tasks 100 on_taskiq:broker',
            ('io',),
            1500,
            'streams',
            NOTHING,
            'coroutines',
        ),
        Variant('producer', '', PRODUCERS, 3800),
    ),
    {'': Count('keys', '?' * 32)},
)
POTATOQ = Peer(
    'potatoq',
    'potatoq',
    'on_potatoq',
    ('potatoq[redis]', 'hiredis'),
    (
        Variant('1 process', 'potatoq -A on_potatoq worker -c 1', ONE, 1600, stores=False),
        Variant(
            '1 process, results', 'potatoq -A on_potatoq worker -c 1', ('reused',), 1500, '', {'BENCH_RESULTS': '1'}
        ),
        Variant('2 processes', 'potatoq -A on_potatoq worker -c 2', ('cores',), 3200, stores=False),
        Variant(
            '100 threads',
            'potatoq -A on_potatoq worker -c 1 -t 100',
            ('io',),
            1500,
            '',
            NOTHING,
            'threads',
            True,
            False,
        ),
        Variant('producer', '', PRODUCERS, 3400),
    ),
    {'': Count('keys', 'potatoq:job:*', left=True), 'fail': Count('zcard', 'potatoq:dead')},
    early=True,
)
WAKAQ = Peer(
    'wakaq',
    'WakaQ',
    'on_wakaq',
    ('wakaq', 'hiredis'),
    (
        Variant(
            '1 process',
            'wakaq-worker --app on_wakaq.wakaq',
            ('reused', 'failing', 'latency'),
            3300,
            acknowledges=False,
            stores=False,
        ),
        Variant(
            '2 processes',
            'wakaq-worker --app on_wakaq.wakaq',
            ('cores',),
            6000,
            '',
            {'BENCH_CONCURRENCY': '2'},
            acknowledges=False,
            stores=False,
        ),
        Variant(
            'coroutines', 'wakaq-worker --app on_wakaq.wakaq', ('io',), 1500, '', COROUTINES, 'coroutines', False, False
        ),
        Variant('producer', '', PRODUCERS, 16000),
    ),
    {},
)
ARDIQ = Peer(
    'ardiq',
    'ardiq',
    'on_ardiq',
    ('ardiq', 'hiredis'),
    (
        Variant('1', 'ardiq run on_ardiq:app', ONE, 1800, 'concurrency 1', {'BENCH_CONCURRENCY': '1'}, 'coroutines'),
        Variant(
            '2 x 100',
            'ardiq run -w 2 on_ardiq:app',
            ('cores',),
            15000,
            'concurrency 100',
            {'BENCH_CONCURRENCY': '100'},
            'coroutines',
        ),
        Variant('100', 'ardiq run on_ardiq:app', ('io',), 1900, '', {'BENCH_CONCURRENCY': '100'}, 'coroutines'),
        Variant('producer', '', PRODUCERS, 3000),
    ),
    {'': Count('zcard', 'ardiq:bench:index:results')},
    bulk=True,
    python=(3, 12),
    core='Rust',
)

PEERS = {peer.name: peer for peer in (OURS, RQ3, HUEY, DRAMATIQ, CELERY, SAQ, TASKIQ, WAKAQ, POTATOQ, ARDIQ)}
