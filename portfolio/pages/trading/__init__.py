"""Pages of trading: one's accounts, what they hold, their orders, plans and differences, and the kill switch."""
