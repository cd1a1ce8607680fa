"""What the core needs: one small Protocol per role. Domain types only, no library type crosses."""
