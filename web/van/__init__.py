"""The van's laptop and headquarters' side of it.

On the laptop (settings name a headquarters): identity.py clock.py who and when it is; laptop.py sealing and syncing;
line.py a bad line; loop.py the thread; applying.py what headquarters tells; pages.py status and pull.
At headquarters: office.py the sync endpoint; picture.py what a van should know; overview.py and hq.py the page of vans.
"""

from __future__ import annotations

from typing import Any


def init_app(app: Any, settings: Any) -> None:
    """On a laptop: the clock that headquarters puts right, and the laptop itself as `app.extensions["laptop"]`."""
    from web.van import identity
    from web.van.clock import VanClock
    from web.van.laptop import Laptop
    from web.van.line import Line

    base = app.extensions["clock"]
    witness = identity.load(settings.data_dir)
    options: dict[str, Any] = {}
    if settings.testing:  # time stands still there until a test moves it
        options = {"system": base.now, "running": lambda: base.now().timestamp()}
    clock = VanClock(last_us=witness.last_us, offset_us=witness.offset_us, **options)
    app.extensions["clock"] = clock
    line = Line(settings.van_office, settings.van_token)
    app.extensions["laptop"] = Laptop(app.extensions["writer"], settings.data_dir, clock, line)
