"""The command line.

``app.py`` lists the commands, one file holds each; ``guard.py`` is what all of them share: errors
become one line and an exit code, warnings become notes. Nothing heavy is imported before a command
needs it, so that ``isthmus --help`` answers at once.
"""
