"""A portal in one file: the database, every scan file, and a manifest that proves both."""
