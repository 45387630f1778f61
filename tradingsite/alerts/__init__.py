"""Alerts: each trouble is reported once, and once more when it is over.

`conditions` checks jobs, findings, back-ups, clusters, disks and picks; `troubles` records what is open; `deliveries`
sends it through the `channels`; `dead_man` pings an outside service while everything is alive. `tasks.check_alerts`
runs all of it each minute in each cluster, so that each cluster reports the death of the other.
"""
