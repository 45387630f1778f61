"""What a demat account bought, sold and was given, and what follows from it for the income tax."""
