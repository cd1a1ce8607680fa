-- The revision that the schema is at. Alembic keeps one row; the table is missing on an empty database.
SELECT version_num FROM alembic_version
