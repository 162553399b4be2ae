"""What deliberately differs from api.md and cli.md, with its reason: at most ten in all."""

#: name as the test shows it -> reason
DIFFERENCES: dict[str, str] = {
    'rq.worker.base.VERSION [constant]': 'It is the version of this package, so that a fleet can be told apart.',
}

#: name -> arguments that RQ 3.0 requires and that may be left out here (None); every call that was valid stays valid.
OPTIONAL_HERE: dict[str, tuple[str, ...]] = {
    # seams.md: packages around RQ call and override these as RQ 2 had them, without the execution.
    'rq.worker.base.BaseWorker.perform_job': ('execution',),
    'rq.worker.worker_classes.Worker.monitor_work_horse': ('execution',),
    # legacy.md, section 2: without one, the topmost connection of the stack is used when `.delay()` is called.
    'rq.decorators.job': ('connection',),
}

#: name -> words that only we have; each may be left out, and none stands before one of RQ's.
MORE_HERE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *('rq.job.Job.create', 'rq.decorators.job', 'rq.queue.EnqueueData'),
            *(f'rq.queue.Queue.{name}' for name in ('create_job', 'enqueue_call', 'prepare_data')),
        ),
        ('on_final_failure', 'keep_on_failure'),
    ),
    'rq.queue.Queue': ('keep_on_failure',),
    'rq.worker.base.BaseWorker': (*('final_failure_handlers', 'default_retry', 'executor', 'concurrency', 'batch_ms'),),
    'rq.worker_pool.WorkerPool': ('final_failure_handlers', 'executor', 'concurrency', 'batch_ms'),
    'rq.job.Retry': ('on', 'never', 'deadline'),
    'rq.utils.get_call_string': ('hidden',),
}
