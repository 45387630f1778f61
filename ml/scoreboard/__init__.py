"""What came of the published picks: judged once, only added to."""
