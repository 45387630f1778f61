"""The fault drill: evenings of a small simulated market with something killed, cut off or filled up in the middle.

Each round begins with the same database on the same evening, and its tables and files must end up equal to those of an
evening that nothing disturbed. ``market`` makes that database, ``consumer`` is the worker that does the evening,
``injection`` breaks it from within at a chosen statement, ``faults`` says what there is to break, ``rounds`` plays.
"""
