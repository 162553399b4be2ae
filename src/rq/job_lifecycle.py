"""The address at which RQ keeps what the failure room does by hand."""

from rq.failure.lifecycle import call_exception_handlers, format_exc_info, record_job_failure

__all__ = ['call_exception_handlers', 'format_exc_info', 'record_job_failure']
