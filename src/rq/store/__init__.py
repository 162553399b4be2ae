"""The store room: Redis and Valkey, and nothing else. Calls are built here and executed by the runners in `call`."""
