"""Where the broker and this system differ: compared, recorded, shown, and closed with a reason."""
