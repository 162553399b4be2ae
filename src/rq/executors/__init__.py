"""Where jobs run: in horses (`horses`, `horse`) or here (`inline`), behind one protocol (`base`)."""
