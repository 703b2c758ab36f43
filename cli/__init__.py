"""The command line. Before anything else of it is imported, the caller's folder is taken off the search path."""

from cli.safe_path import forget_working_folder

forget_working_folder()
