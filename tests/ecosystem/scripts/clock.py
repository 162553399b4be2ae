"""A cron configuration, for `rq cron` and for those of the packages."""

import jobs

from rq import cron

cron.register(jobs.add, 'clock', args=(1, 1), interval=600)
