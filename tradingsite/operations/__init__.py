"""The operations console: what the admin sees first, the page of a run, the buttons, and the same as JSON."""
