"""British English, with Indian grouping."""
