"""What a text says behind any disguise: normalisation, keywords, the text cache."""
