"""Uploaded CSV files: checked row by row, previewed, then imported by the tables' own writers as a run.

`cells` reads one cell, `parsing` a file, `kinds` names what can be imported, `records` holds each kind's checks against
the database and its writer, `steps` are those of the jobs `check_csv` and `import_csv`; `tradingsite.imports` starts
them.

django-import-export is not used for imports: it writes row by row past the writers (no before-images, no run), keeps
the good rows of a bad file unless told otherwise, accepts `inf`, and is made for thousands of rows.
"""
