"""Kraken's spot market."""
