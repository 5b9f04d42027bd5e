"""What a change does to parameters and metrics, as Markdown for a pull request."""
