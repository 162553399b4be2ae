"""What is started by the clock: firing cron jobs, reading their config, the books of who does it."""
