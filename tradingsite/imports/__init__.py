"""Handing files in: what the page's buttons do, and the page; what the files hold is `market_data.imports`'s to say."""
