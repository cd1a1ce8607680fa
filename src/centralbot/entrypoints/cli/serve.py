"""The two servers. Both log to stderr, print nothing, and end with 0 on SIGTERM."""

from __future__ import annotations

from centralbot.entrypoints.cli.running import begin, leave_on_sigterm, run_server


def serve_api() -> None:
    """Serve the backend's HTTP side until stopped."""
    leave_on_sigterm()
    from centralbot.entrypoints import settings

    environ = begin(quiet=False)
    gate, outbox = settings.load_gate_settings(environ), settings.load_outbox_settings(environ)
    api, store = settings.load_api_settings(environ), settings.load_store_settings(environ)
    web = settings.load_web_settings(environ)
    from centralbot.entrypoints.roots import backend

    run_server(backend.serve_api(store, gate, outbox, api, web))


def serve_worker() -> None:
    """Receive GitHub's webhooks and execute claimed actions until stopped."""
    leave_on_sigterm()
    from centralbot.entrypoints import settings

    environ = begin(quiet=False)
    worker, github = settings.load_worker_settings(environ), settings.load_github_app_settings(environ)
    from centralbot.entrypoints.roots import worker as root

    run_server(root.serve_worker(worker, github))
