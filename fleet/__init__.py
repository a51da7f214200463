"""The network of centers, where they go and what that is worth."""
