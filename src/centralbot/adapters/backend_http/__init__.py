"""The backend over signed HTTP (contract sections 2 to 4): where events go and where actions come from.

Nothing is imported here: the API shares the schemas and has no use for an HTTP client.
"""
