"""Which recipe picks: the champion, its challenger, and the decisions between them."""
