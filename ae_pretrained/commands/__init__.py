"""Commands of ``ae-pretrained``, one module each; nothing heavy is imported before a command runs."""
