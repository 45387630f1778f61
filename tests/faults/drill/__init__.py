"""The fault drill: evenings of a small simulated market with a kill, a cut-off or a full disk in the middle.

Each round starts from the same database on the same evening, and must leave the same tables and files as an undisturbed
evening. ``market`` builds that database, ``worker`` executes the evening's tasks, ``injection`` breaks a worker from
within at a chosen statement, ``faults`` lists what can break, ``round`` plays one fault, ``drill`` chooses the rounds.
"""
