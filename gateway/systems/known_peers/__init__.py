"""Addresses from which SPs have bound; they outlive a restart."""
