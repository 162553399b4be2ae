"""The failure room: one path for every way in which a job can fail. `steps.py` is its table of contents."""
