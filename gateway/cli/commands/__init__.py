"""What can be typed: names, options and help. The work is done in the modules above.

Commands import what they need when they are called, so that help and completion stay quick:
the stores alone take most of a second to import.
"""
