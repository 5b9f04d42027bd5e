"""The command line and what it runs; nothing heavy is imported before a command runs."""
