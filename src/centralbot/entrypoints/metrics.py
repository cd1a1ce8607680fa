"""Prometheus pieces that both processes share."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4"
"""Without its charset, which Litestar adds: Prometheus may refuse a type that names it twice."""


def new_registry() -> CollectorRegistry:
    """A registry of its own, with the process's memory, CPU and files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The registry in Prometheus' text format."""
    return generate_latest(registry)
