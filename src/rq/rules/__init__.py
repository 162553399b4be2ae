"""Pure rules: what is decided without a server, a clock, a process or a log. See each module."""
