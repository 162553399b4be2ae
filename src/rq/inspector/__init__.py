"""The read API: what failed, in groups and one by one, and all that is stored of a job. It changes nothing.

It decodes no payload, result or notes, so it runs no code of whoever wrote them; and what it reads is bounded.
"""

from __future__ import annotations

from rq.inspector.look import Inspector
from rq.inspector.views import FailedJob, FailureGroup, JobView, Match, Page

__all__ = ['FailedJob', 'FailureGroup', 'Inspector', 'JobView', 'Match', 'Page']
