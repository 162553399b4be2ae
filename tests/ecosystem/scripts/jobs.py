"""What the scripts enqueue; a worker imports it by name."""

from rq import get_current_job


def add(x, y=0):
    return x + y


def say(word):
    return word


def fail(text='it broke'):
    raise ValueError(text)


def gate(name='gate'):
    """Say that it runs, then wait for the script to open the gate."""
    connection = get_current_job().connection
    connection.rpush('test:at', name)
    connection.blpop(f'test:{name}', timeout=30)
    return 'passed'


def told(job, connection, *rest):
    """A callback: leave a line of what it was told."""
    connection.rpush('test:told', f'{job.id} {type(rest[0]).__name__ if rest else "nothing"}')
