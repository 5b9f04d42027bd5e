"""What a change does to parameters, metrics and plots, as Markdown for a pull request."""
