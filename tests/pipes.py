"""The ends of pipes in tests: leave no room in one, take out what is in it."""

import os


def fill(writer: int) -> None:
    """Write until there is no room."""
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b'.')
    except BlockingIOError:
        os.set_blocking(writer, True)  # this flag is shared with whoever inherits the descriptor


def read_now(reader: int) -> bytes:
    """What is in it now; the end does not block from here on."""
    os.set_blocking(reader, False)
    found = b''
    try:
        while some := os.read(reader, 1 << 16):
            found += some
    except BlockingIOError:
        pass
    return found
