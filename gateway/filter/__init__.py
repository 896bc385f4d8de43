"""What a text says, whatever it is disguised as: normalisation, keywords, the text cache."""
