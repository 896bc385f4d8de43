"""What a text says behind any disguise: its facts, for the rules, and the scan that notes them."""
