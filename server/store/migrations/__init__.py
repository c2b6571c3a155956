"""Alembic's scripts, packaged with the code.

To change a table: edit `server/store/tables.py`, add a file to `versions/` whose `down_revision`
is the last one, and run the tests: they compare what the scripts build with the tables.
"""
