"""GitHub over its REST API: what GitHub's protocol means is pure (``protocol``, ``limits``, ``faults``, ``shapes``,
``operations``, ``app_jwt``); ``transport`` and ``client`` send; one module per port speaks to the core.

Start at :func:`centralbot.adapters.github.app.open_github`.
"""
