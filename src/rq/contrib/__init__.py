"""Old address of what was contributed to RQ 0.x."""
