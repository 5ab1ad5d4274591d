"""Recipes of the plug-in."""
