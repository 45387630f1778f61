"""Back-ups: one file with a snapshot of the database, the model files, and the settings that are not secret.

The file is a zip: `manifest.json` (written last; lists the members with their hashes), `tables/*` (COPY's text format,
compressed with zstd), `models/…`, `configuration/…`. Migrations create the tables and COPY fills them, so a back-up can
be restored into any PostgreSQL from 15 on without its client programs, and inspected with unzip and zstd.
"""
