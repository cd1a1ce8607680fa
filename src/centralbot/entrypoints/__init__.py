"""Composition roots: settings, logs, wire shapes, API, worker, sweeper, demo and the command line."""
