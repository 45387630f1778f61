"""Back-ups: one file with the database as of one moment, the models, and the settings that are no secret.

The file is a zip: `manifest.json` (written last: what is inside, with hashes), `tables/*.copy.zst` (PostgreSQL's text
format of COPY), `models/…`, `configuration/…`. Tables are made by the migrations, rows by COPY: so a back-up goes back
into any PostgreSQL from 15 on, needs none of its client programs, and can be looked into with unzip and zstd.
"""
