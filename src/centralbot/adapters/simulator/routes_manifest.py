"""The conversion of a manifest's code into an App.

https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
"""

from __future__ import annotations

from .http import Response, not_found
from .routing import Call, Route


def convert(call: Call) -> Response:
    """201 once; no authentication but the code."""
    made = call.services.registrations.convert(call.params["code"])
    if made is None:
        raise not_found()
    call.shapes.app_info = made.app
    return Response(
        201,
        {
            **call.shapes.app(),
            "client_secret": made.client_secret,
            "webhook_secret": made.webhook_secret,
            "pem": made.private_key_pem,
        },
    )


ROUTES = (
    Route(
        operation="apps/create-from-manifest",
        method="POST",
        path="/app-manifests/{code}/conversions",
        callers=("app", "installation", "user", "anonymous"),
        handler=convert,
        limited=False,
    ),
)
