"""What the core offers: the use cases, async functions and classes over the driven ports."""
