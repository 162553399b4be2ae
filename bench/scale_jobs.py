"""What the measured jobs do: as good as nothing, and failing. The same for every side."""


def nothing(number: int) -> int:
    """A job without work of its own."""
    return number


def broken(number: int) -> int:
    """A job that fails."""
    raise ValueError(f'number {number} is broken')
