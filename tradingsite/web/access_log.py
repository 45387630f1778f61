"""What gunicorn reads beside its arguments (`--config`): should somebody ask for an access log, no query is in it.

A broker's page comes back with a code in the query; `%(r)s` and `%(f)s` of gunicorn's own format would write it down.
"""

access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "%(a)s"'
