"""How plans are found: column generation over whole routes, and search with a proof where routes are long."""
