"""What every command shares: options, screen, errors, the files and the store of a deployment.

Commands import what is slow inside their functions, so that help and completion stay quick: the
store and the settings alone take most of a second.
"""
