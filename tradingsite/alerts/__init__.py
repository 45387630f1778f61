"""Alerts: what is wrong is told once, and once more when it is over.

`conditions` looks at jobs, findings, back-ups, clusters, disks and picks; `troubles` remembers what is open;
`deliveries` sends what the `channels` have not been told; `dead_man` tells an outside service that all is alive.
`tasks.check_alerts` does it all each minute, in each cluster, so that the death of one is told by the other.
"""
