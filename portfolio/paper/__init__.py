"""Paper trading: the stored market as the simulated venue meets it, and past sessions played again."""
