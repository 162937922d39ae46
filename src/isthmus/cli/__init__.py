"""The command line.

``app.py`` lists the commands, and each is in one file. ``command_wrapper.py`` is what they share:
errors become one line and an exit code, warnings become notes. Nothing heavy is imported before a
command needs it, so that ``isthmus --help`` responds at once.
"""
