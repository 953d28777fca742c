"""The history of the store's tables: one file a revision, named by its number; read by alembic from `migrate.py`."""
