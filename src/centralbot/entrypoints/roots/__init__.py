"""The composition roots: the only modules that know which adapter stands behind which port."""
