"""Turnout: smart routing for LLM traffic, in your own AWS account."""

__version__ = "0.1.0"
