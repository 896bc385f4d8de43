"""Suspensions (暂停): numbers that may send nothing for a while, and how they come back."""
