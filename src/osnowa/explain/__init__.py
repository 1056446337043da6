"""Looks into a model from outside: every number of a forward pass, proved, and the page that shows them."""
