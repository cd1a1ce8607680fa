"""Settings from environment variables, or from the same names in ``.env``; each command loads the parts it needs."""

from __future__ import annotations

from centralbot.entrypoints.settings.app_file import with_app_file
from centralbot.entrypoints.settings.backend import (
    ApiSettings,
    DatabaseSettings,
    GateSettings,
    LogSettings,
    OAuthSettings,
    OutboxSettings,
    StoreSettings,
    WebSettings,
    base_url,
    load_api_settings,
    load_database_settings,
    load_gate_settings,
    load_log_settings,
    load_oauth_settings,
    load_outbox_settings,
    load_store_settings,
    load_web_settings,
)
from centralbot.entrypoints.settings.reader import SettingsError, read_environ, unknown_names
from centralbot.entrypoints.settings.worker import (
    GitHubAppSettings,
    WebhookTarget,
    WorkerSettings,
    load_github_app_settings,
    load_webhook_target,
    load_worker_settings,
    load_worker_url,
)

__all__ = [
    "ApiSettings",
    "DatabaseSettings",
    "GateSettings",
    "GitHubAppSettings",
    "LogSettings",
    "OAuthSettings",
    "OutboxSettings",
    "SettingsError",
    "StoreSettings",
    "WebSettings",
    "WebhookTarget",
    "WorkerSettings",
    "base_url",
    "load_api_settings",
    "load_database_settings",
    "load_gate_settings",
    "load_github_app_settings",
    "load_log_settings",
    "load_oauth_settings",
    "load_outbox_settings",
    "load_store_settings",
    "load_web_settings",
    "load_webhook_target",
    "load_worker_settings",
    "load_worker_url",
    "read_environ",
    "unknown_names",
    "with_app_file",
]
