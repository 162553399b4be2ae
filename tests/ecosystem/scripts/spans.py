"""Where the tracers leave what they would send: in files of the directory, because a work horse ends with its job."""

import json
import os
from pathlib import Path


def keep(box, **facts):
    """Called in whatever process it is: the script itself or a work horse."""
    with Path(f'{box}.kept').open('a') as file:
        file.write(json.dumps(facts | {'process': os.getpid()}, default=str) + '\n')


def kept(box):
    """All of one kind, in their order."""
    path = Path(f'{box}.kept')
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
