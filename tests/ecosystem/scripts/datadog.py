"""ddtrace: the spans of enqueueing, fetching and running, linked; nothing is sent anywhere."""

import jobs
from ddtrace import patch
from ddtrace.trace import TraceFilter, tracer
from play import burst, redis, status, tell
from spans import keep, kept

from rq import Queue


class Kept(TraceFilter):
    def process_trace(self, trace):
        for span in trace:
            keep(
                'span', name=span.name, resource=span.resource, trace=f'{span.trace_id:x}', id=span.span_id,
                parent=span.parent_id, error=span.error, tags=dict(span.get_tags()),
            )  # fmt: skip
        return  # nothing is left to send


tracer.configure(trace_processors=[Kept()])
patch(rq=True)

queue = Queue(connection=redis)
with tracer.trace('producer') as producer:
    good, bad = queue.enqueue(jobs.add, 1, 2), queue.enqueue(jobs.fail, 'ddtrace sees it')
    trace = f'{producer.trace_id:x}'
queue.fetch_job(good.id)
burst()
tell(ids={'good': good.id, 'bad': bad.id}, spans=kept('span'), trace=trace, statuses=[status(good), status(bad)])
