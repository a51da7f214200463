"""The JSON API under /api/v1 and its OpenAPI document: routes and document are made from one table of operations."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from web.api import document
from web.api.operation import handler
from web.api.operations import OPERATIONS

blueprint = Blueprint("api", __name__, url_prefix="/api")
for _operation in OPERATIONS:
    blueprint.add_url_rule(
        f"/v1{_operation.rule}", _operation.name, handler(_operation), methods=[_operation.method]
    )


@blueprint.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """The document of this API."""
    return jsonify(document.build(OPERATIONS))


blueprints: tuple[Blueprint, ...] = (blueprint,)
