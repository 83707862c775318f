"""What an architecture looks like: labelled graphs, their canonical form, equality and layout."""
