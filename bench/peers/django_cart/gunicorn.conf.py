"""gunicorn for two cores, beside a PostgreSQL on the same ones.

Of workers and threads, 3 x 16 and 2 x 16 were the fastest of eight pairs, and the default class (a process a request) was slower than all.
"""

workers = 3
worker_class = "gthread"  # keeps connections open, which the default class does not
threads = 16
worker_connections = 1000
keepalive = 75  # seconds
timeout = 60
preload_app = True
