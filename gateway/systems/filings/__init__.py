"""The registry of what SPs have filed (报备): taken in, and kept at hand."""
