"""How dates and numbers are written for people, by language; see `FORMAT_MODULE_PATH`."""
