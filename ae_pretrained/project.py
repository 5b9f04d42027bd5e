"""What ``dvc repro`` calls first in a project that an earlier version made: it says what to do.

Such a project runs ``python -m ae_pretrained.project.library``, and Python imports this module on the way to that
one, which is gone. Its copied stage scripts name other modules that are gone too.
"""

import sys

WAY_ON = (
    "Make a new project from the same images (`ae-pretrained init NEW --from IMAGES`) and carry your changes of "
    "params.yaml over, or install the ae-pretrained that made this project"
)

if sys.argv[:1] == ["-m"]:  # on the way to it, and never when something else imports this module
    sys.exit(
        f"\nERROR: an earlier ae-pretrained made this project; its stages/ do not fit this version. {WAY_ON}."
    )
