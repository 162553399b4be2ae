"""`python -m rq.cli` is `rq`."""

from rq.cli import main

if __name__ == '__main__':
    main(prog_name='rq')
