"""CSV files that people hand in: judged row by row, shown, then written by the tables' own writers as a run.

`cells` reads one cell, `judging` a file, `kinds` names what can be imported, `records` holds each kind's checks against
the database and its writer, `steps` are the jobs `check_csv` and `import_csv`; `tradingsite.imports` starts them.

django-import-export is passed over on the way in: it writes row by row past the writers (no before-images, no run),
keeps the good rows of a bad file unless told otherwise, takes `inf`, and is fit for thousands of rows.
"""
