"""Files that people bring: trades, ledgers and contract notes as CSV."""
