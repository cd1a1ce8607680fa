"""The backend's HTTP side: internal endpoints for the bot, health, metrics, OpenAPI."""
