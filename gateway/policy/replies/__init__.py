"""What subscribers mean by what they write."""
