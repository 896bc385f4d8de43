"""The learned part of the filter: what it reads in a text, its weights, their file, its scores."""
