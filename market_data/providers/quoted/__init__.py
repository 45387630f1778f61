"""Market data through brokers: what the providers of all brokers share.

`days` keeps what a broker sent, `bars` makes a session's bars of it, `no_archive` stands in where the exchange's files
are not used, and `feed` is the provider. `providers/fyers` and `providers/zerodha` add what is each broker's own.
"""
