"""What ``dvc repro`` calls first in a project that an earlier version made: it says what to do.

Such a project runs ``python -m ae_pretrained.project.library``, and Python imports this module on the way to that
one, which is gone. Its copied stage scripts name other modules that are gone too.
"""

import sys

if sys.argv[:1] == ["-m"]:  # only then, and never when something else imports this module
    from ae_pretrained.apps.init.library import WAY_ON

    sys.exit(
        f"\nERROR: an earlier ae-pretrained made this project; its stages/ do not fit this version. {WAY_ON}."
    )
