"""Flask: pages, sockets, jobs. See web/app.py for the application factory."""
