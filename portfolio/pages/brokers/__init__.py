"""The pages about a person's brokers."""
