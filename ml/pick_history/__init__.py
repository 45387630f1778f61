"""What each list would have been on each session, from stored predictions and dated facts; and what was published."""
