"""The command line.

``app.py`` lists the commands; each has its own file. ``command_wrapper.py`` turns errors into one
line and an exit code, and warnings into notes. Large libraries are imported only when a command
needs them, so that ``isthmus --help`` responds at once.
"""
