"""What a trial runs: flat scripts, read top to bottom, and the few functions that they share."""
