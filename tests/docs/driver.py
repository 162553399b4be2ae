"""Runs the programs of one page in one namespace, as one would type them in; writes what each printed as JSON.

Not a test. `Redis()` and `embedded://` lead to the server of the tests, because the pages use them unchanged.
"""

import contextlib
import io
import json
import logging
import sys
import traceback
from pathlib import Path

import redis

sys.path.append(str(Path(__file__).parents[2]))  # in a SpawnWorker's horses, too

from tests.docs.at_hand import Redis  # noqa: E402 - only now it is found

redis.Redis = Redis

from rq import connections  # noqa: E402 - it must find the class above

connections.register_provider('embedded', lambda url: Redis())


def main() -> None:
    """Programs from standard input, their outputs to standard output."""
    logging.basicConfig(stream=sys.stderr)  # the log of the workers is not what a program prints
    outputs = []
    names = {'__name__': '__main__'}
    for number, program in enumerate(json.load(sys.stdin), 1):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                exec(compile(program, f'<program {number} of the page>', 'exec'), names)
            except Exception:
                said.write(traceback.format_exc())
        outputs.append(said.getvalue())
    json.dump(outputs, sys.stdout)


if __name__ == '__main__':
    main()
