"""How plans are found: column generation over whole routes, and insertion where routes are long."""
