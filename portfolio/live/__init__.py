"""Trading with real money: off, until the owner of an account turns it on for one strategy and for a time."""
