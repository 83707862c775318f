"""The critic: what an architecture will reach, guessed from the few that were evaluated."""
