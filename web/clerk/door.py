"""The blueprint of the staff pages, and what every request to it goes through."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, request
from flask_login import current_user

from web.app import csrf
from web.auth import login_manager

blueprint = Blueprint("clerk", __name__)
# Checked below instead, after the sign-in: whoever is not signed in hears 401, not that their form is old.
csrf.exempt(blueprint)


@blueprint.before_request
def sign_in_then_form() -> Any:
    """Nobody signed in: to the sign-in page (401 for posts and sections). Signed in: the form must be one of ours."""
    if not current_user.is_authenticated:
        return login_manager.unauthorized()
    if request.method == "POST" and current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()
    return None


def is_fragment() -> bool:
    """True when a script of the page asks, which puts the answer in place without loading the page again."""
    return bool(request.headers.get("X-Part"))
