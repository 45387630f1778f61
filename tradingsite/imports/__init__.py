"""CSV uploads: the admin's pages and what their buttons do; `market_data.imports` knows what the files hold."""
