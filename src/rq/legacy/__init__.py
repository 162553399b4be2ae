"""RQ 0.x: its names and its rules. Whoever uses them is told the modern spelling once, and then they work.

Nobody below imports this room. `names.py` is its table of contents; `rq/__init__.py` opens it on demand.
"""
