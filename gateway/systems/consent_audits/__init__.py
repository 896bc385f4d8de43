"""Audits of consents (抽查): samples of what SPs assert, their answers and results."""
