"""Looks into a model from outside: every number of its data flow, of one training step, and of how it learned."""
