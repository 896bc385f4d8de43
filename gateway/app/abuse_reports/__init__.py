"""What those outside the linkage are told of cases."""
