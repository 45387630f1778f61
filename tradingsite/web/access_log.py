"""What gunicorn reads beside its arguments (`--config`).

Should somebody ask for an access log, no query is in it.

A broker's page comes back with a code in the query; `%(r)s` and `%(f)s` of gunicorn's own format would write it down.

Nothing here speaks to its control socket, and there is no place for one on a container's read-only file system.
"""

access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "%(a)s"'
control_socket_disable = True
