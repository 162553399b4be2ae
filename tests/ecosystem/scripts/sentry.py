"""sentry-sdk: what it would send about a job that succeeds, one that fails, and one that fails after a retry."""

import jobs
import sentry_sdk
import sentry_settings  # noqa: F401  # starts it
from play import GIVEN, URL, burst, command, redis, tell
from spans import kept

from rq import Queue, Retry

queue = Queue(connection=redis)
with sentry_sdk.start_transaction(op='test', name='producer') as producer:
    good, bad = queue.enqueue(jobs.add, 1, 2), queue.enqueue(jobs.fail, 'sentry sees it')
    again = queue.enqueue(jobs.fail, 'twice', retry=Retry(max=1))
if GIVEN['worker'] == 'command':
    command('rq', 'worker', '--burst', '-c', 'sentry_settings', '--url', URL)
else:
    burst()
tell(
    trace=producer.trace_id, parent=producer.span_id, ids={'good': good.id, 'bad': bad.id, 'again': again.id},
    errors=kept('error'), transactions=[one for one in kept('transaction') if one['name'] != 'producer'],
)  # fmt: skip
