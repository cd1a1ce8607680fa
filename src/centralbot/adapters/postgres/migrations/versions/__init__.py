"""One file per schema revision, numbered; each runs the SQL file of its name."""
