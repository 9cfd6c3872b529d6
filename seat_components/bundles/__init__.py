"""Bundles: rendered from one template and one table, with what is registered of their weights."""
