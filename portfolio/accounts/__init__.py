"""What an account owns: its ledger in the database, and what follows from it."""
