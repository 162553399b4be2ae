"""Many jobs into a queue: few large calls, each of jobs that are alike, and no more of them in memory than needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rq import entering, express
from rq.provenance import place
from rq.rules.arguments import given
from rq.rules.names import fresh_ids, get_call_string
from rq.rules.parameters import secret_positions
from rq.rules.payload import dumped
from rq.rules.status import JobStatus
from rq.rules.timing import utcformat
from rq.store import codec, enter
from rq.store.call import Call
from rq.utils import now

MOST_JOBS, MOST_BYTES = 500, 1 << 20  # of one write
PORTION_JOBS, PORTION_BYTES = 10_000, 16 << 20  # of an iterator, before what it gave is sent

#: the words of an entry without any that is ours, behind function and arguments
NOTHING = (*(None,) * 7, False, *(None,) * 9)
_PLAIN = enter.Alike(False, '', ('description', 'data'))


class Crowd:
    """Jobs of one `enqueue_many` that are sent together. Nothing is sent before all of them could be built."""

    def __init__(self, queue: Any, group_id: str | None, is_short: bool, seen: set[str]) -> None:
        self.writes: list[list[Call[Any]]] = []  # calls that enqueue those without dependencies
        self.links: list[Call[Any]] = []  # calls that defer the others
        self.bound: list[Any] = []  # jobs with dependencies
        self._queue, self._group_id, self._is_short, self._seen = queue, group_id, is_short, seen
        self._place = place()
        self._in_write = self._bytes_of_write = 0
        self._rows: list[tuple[dict[str, Any] | None, list[Any]]] = []  # what jobs have in common, and each of them
        self._shape: enter.Alike | None = None  # of the jobs of the call that is being built
        self._fixed: dict[str, Any] = {}
        self._values: list[Any] = []
        self._in_call = self._bytes = 0
        self._number = self._all_bytes = 0
        self._func: Any = None
        self._name: str | None = None
        self._hidden: frozenset[int] = frozenset()
        self._ids: list[str] = []

    def take(self, entries: Iterator[Any], is_bounded: bool) -> bool:
        """Build the jobs of these entries, all or a portion; answers whether there may be more."""
        for entry in entries:
            if not (self._is_short and entry[3:] == NOTHING and self._take_plain(*entry[:3])):
                self._take(entry)
            self._number += 1
            if is_bounded and (self._number == PORTION_JOBS or self._all_bytes >= PORTION_BYTES):
                self._close()
                return True
        self._close()
        return False

    def jobs(self) -> list[Any]:
        """Those without dependencies, in their order."""
        found: list[Any] = []
        kind = self._queue.job_class
        for common, rows in self._rows:
            found += rows if common is None else [express.made(kind, common, row) for row in rows]
        return found

    def _take_plain(self, func: Any, args: Any, kwargs: Any) -> bool:
        """A job that has nothing but a function and arguments; False when these need a closer look."""
        if func is not self._func:
            self._func, self._name = func, express.import_path(func)
            self._hidden = secret_positions(self._name)
        name = self._name
        args, kwargs = () if args is None else args, {} if kwargs is None else kwargs
        if name is None or type(args) not in (tuple, list) or type(kwargs) is not dict:
            return False
        if self._shape is not _PLAIN or self._in_call == MOST_JOBS or self._bytes >= MOST_BYTES:
            self._open_plain()
        text = get_call_string(name, args, kwargs, 75, self._hidden) or ''
        raw = dumped(self._queue.serializer, (name, None, args, kwargs))
        stored = codec.encode_call(raw, self._queue.serializer)
        job_id = self._ids.pop()
        self._rows[-1][1].append((job_id, name, args, kwargs, text, raw))
        self._values += (job_id, text, stored)
        self._in_call += 1
        self._bytes += len(text) + len(stored)
        return True

    def _open_plain(self) -> None:
        self._open(_PLAIN)
        moment, queue = now(), self._queue
        self._fixed = {'created_at': utcformat(moment), 'origin': queue.name, 'timeout': queue._default_timeout}
        self._fixed |= given(by=self._place or None, group_id=self._group_id or None)
        self._rows.append((express.template(queue, moment, self._place, self._group_id), []))
        self._ids = fresh_ids(MOST_JOBS)

    def _take(self, entry: Any) -> None:
        words = entry._asdict()
        job_id = words['job_id']
        if job_id:
            if job_id in self._seen:
                raise ValueError('job_id values must be unique within one enqueue_many; one is given twice')
            self._seen.add(job_id)
        more = given(**{word: words.pop(word, None) for word in ('on_final_failure', 'keep_on_failure')})
        at_front = bool(words.pop('at_front'))
        job = self._queue.create_job(group_id=self._group_id, status=JobStatus.QUEUED, **words, **more)
        job.enqueued_from = self._place
        if job._dependency_ids:
            self._take_bound(job, at_front)
        else:
            self._take_free(job, at_front)

    def _take_bound(self, job: Any, at_front: bool) -> None:
        link = entering.deferral(self._queue, job, 'link', at_front)
        self._all_bytes += _size(link.args)
        self.links.append(link)
        self.bound.append(entering.stands(job, JobStatus.DEFERRED))

    def _take_free(self, job: Any, at_front: bool) -> None:
        entering.make_ready(self._queue, job, at_front)
        if entering.is_new(job):
            fields = enter.words(job)
            shape = enter.Alike(at_front, job.ttl or '', tuple(fields))
            if self._shape != shape or self._shape is _PLAIN or self._in_call == MOST_JOBS or self._bytes >= MOST_BYTES:
                self._open(shape)
                self._fixed = {}
            values = (job.id, *fields.values())
            self._values += values
            self._in_call += 1
            self._bytes += _size(values)
        else:
            self._open(None)
            call = enter.enqueue(job, at_front)
            self._put(call, 1, _size(call.args))
        if not self._rows or self._rows[-1][0] is not None:
            self._rows.append((None, []))
        self._rows[-1][1].append(entering.stands(job, job._status))

    def _open(self, shape: enter.Alike | None) -> None:
        self._close()
        self._shape = shape

    def _close(self) -> None:
        """The call that is being built is complete."""
        if self._shape is not None and self._in_call:
            call = enter.enqueue_alike(self._queue.name, self._shape, self._fixed, self._values)
            self._put(call, self._in_call, self._bytes)
        self._shape, self._values, self._in_call, self._bytes = None, [], 0, 0

    def _put(self, call: Call[Any], jobs: int, size: int) -> None:
        is_too_much = self._in_write + jobs > MOST_JOBS or self._bytes_of_write + size > MOST_BYTES
        if not self.writes or is_too_much:
            self.writes.append([])
            self._in_write = self._bytes_of_write = 0
        self.writes[-1].append(call)
        self._in_write += jobs
        self._bytes_of_write += size
        self._all_bytes += size


def _size(words: Sequence[Any]) -> int:
    return sum(len(word) for word in words if isinstance(word, str | bytes))
