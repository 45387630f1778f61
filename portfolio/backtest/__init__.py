"""What a list would have earned: past places traded bar by bar, after charges and impact."""
