"""Flask: pages, sockets, jobs. `web.app.create_app` is the application factory."""
