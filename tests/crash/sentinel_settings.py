"""Settings of workers that ask sentinels for their server; the ports come with the environment."""

import os

SENTINEL = {
    'INSTANCES': [('127.0.0.1', int(port)) for port in os.environ.get('RQ_CRASH_SENTINELS', '').split()],
    'MASTER_NAME': 'rq-crash',
}
