"""Complaints (举报): what subscribers report as spam."""
