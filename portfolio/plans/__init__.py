"""Plans: what an account that trades a strategy is to do at the next opening, from its making to its end."""
