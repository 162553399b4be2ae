"""OpenTelemetry: the spans of enqueueing, of running, of callbacks, of scheduling and of dependencies."""

from datetime import timedelta

import jobs
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry_instrumentation_rq import RQInstrumentor
from play import burst, redis, status, tell
from spans import keep, kept

from rq import Callback, Queue


class Kept(SpanExporter):
    def export(self, spans):
        for span in spans:
            keep(
                'span', name=span.name, kind=span.kind.name, trace=f'{span.context.trace_id:x}',
                id=f'{span.context.span_id:x}', parent=span.parent and f'{span.parent.span_id:x}',
                status=span.status.status_code.name, attributes=dict(span.attributes), links=len(span.links),
                events=[event.name for event in span.events],
            )  # fmt: skip
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Kept()))
trace.set_tracer_provider(provider)
RQInstrumentor().instrument()

queue = Queue(connection=redis)
made = [
    queue.enqueue(jobs.add, 1, 2, on_success=Callback(jobs.told)),
    queue.enqueue(jobs.fail, 'otel sees it', on_failure=Callback(jobs.told)),
]
made.append(queue.enqueue(jobs.add, 3, depends_on=made[0]))
made.append(queue.enqueue_in(timedelta(days=1), jobs.add, 4))
burst()
with_spans = kept('span')
RQInstrumentor().uninstrument()
plain = queue.enqueue(jobs.add, 1)
burst()
tell(
    ids=[job.id for job in made], spans=with_spans, after=len(kept('span')) - len(with_spans), plain=status(plain),
    told=[line.decode() for line in redis.lrange('test:told', 0, -1)], statuses=[status(job) for job in made],
)  # fmt: skip
