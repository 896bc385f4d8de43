"""Simulated service providers, SMSCs and links: independent witnesses that never import gateway."""
