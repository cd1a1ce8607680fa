"""The two sides of the hexagon: what the core needs (driven) and what it offers (driving)."""
