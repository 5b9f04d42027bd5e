"""``python -m ae_pretrained``, the same as ``ae-pretrained``."""

import sys

from ae_pretrained.apps.cli import main

sys.exit(main())
