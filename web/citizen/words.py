"""Small things said the same way on the citizen's pages, kiosks and boards."""

from __future__ import annotations

import re
from datetime import date, datetime

from flask_babel import gettext as _

from queueing.store import Desk, Service
from web.citizen import blueprint
from web.i18n import local, named


@blueprint.app_template_filter()
def local_date(instant: datetime) -> date:
    """The local day of an instant."""
    return local(instant).date()


@blueprint.app_template_filter()
def papers(service: Service) -> list[str]:
    """The documents to bring for a service, one by one."""
    return [part.strip() for part in re.split("[;؛\n]", named(service, "documents")) if part.strip()]


@blueprint.app_template_filter()
def desk_words(desk: Desk) -> str:
    """`Desk 3`; a desk with a name of its own keeps it."""
    return _("Desk %(name)s", name=desk.name) if desk.name.isdigit() else desk.name
