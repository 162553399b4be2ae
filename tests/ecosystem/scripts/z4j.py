"""z4j-rq: its adapter hears of every job in the worker's process, pages failures, requeues; its own forking worker."""

import asyncio

import jobs
from play import GIVEN, burst, redis, status, tell
from z4j_rq import RqEngineAdapter
from z4j_rq.worker import Worker as OwnWorker

from rq import Queue

queue = Queue(connection=redis)
adapter = RqEngineAdapter(rq_app=queue)


async def main():
    adapter.connect_signals(asyncio.get_running_loop())
    good, bad = queue.enqueue(jobs.add, 1, 2), queue.enqueue(jobs.fail, 'z4j sees it')
    burst()
    await asyncio.sleep(0)
    events = []
    while not adapter._event_queue.empty():
        event = adapter._event_queue.get_nowait()
        events.append([str(event.kind.value), event.task_id])
    adapter.disconnect_signals()

    page = await adapter.list_dead_letters()
    dead = [[entry.task_id, entry.task_name] for entry in page.entries]
    known = sorted(one.name for one in await adapter.discover_tasks())
    state = (await adapter.reconcile_task(bad.id)).result
    requeued = (await adapter.requeue_dead_letter(bad.id)).status
    now = status(bad)
    submitted = (await adapter.submit_task('jobs.add', args=(5, 6))).result['task_id']
    if GIVEN['worker'] == 'Worker':
        burst(worker_class=OwnWorker)
    else:
        burst()
    return {
        'ids': [good.id, bad.id], 'events': events, 'dead': dead, 'known': known, 'state': state['engine_state'],
        'exception': state['exception'], 'requeued': [requeued, now], 'after': [status(bad), status(submitted)],
        'health': adapter.get_health()['queue_depths'],
    }  # fmt: skip


tell(**asyncio.run(main()))
