"""The simulator: an account that trades at given prices, behind the protocol of the real ones."""
