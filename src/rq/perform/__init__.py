"""The run room: one job, here and now. `steps.py` is its table of contents."""
