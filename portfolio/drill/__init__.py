"""The drill of the sender: killed at its named points, on a venue whose book lags and whose answers go astray.

Then both books are compared. It writes a market and accounts, so it is for a database of its own: `manage.py
order_drill` makes one.
"""
