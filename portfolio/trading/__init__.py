"""Rules by which an account trades: what can be traded, at which price, how much of it, and when money is usable."""
