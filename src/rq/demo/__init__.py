"""The guided tour behind `rq demo`: `jobs` run, `run` has them run, `summary` tells what became of them."""
