"""What servers and the `flask` command load: `app`."""

from web.app import create_app

app = create_app()
