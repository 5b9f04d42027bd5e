"""How every stage starts and fails: a sentence for what the user can mend, a traceback for what is our bug."""

import sys
from collections.abc import Callable

from ae_pretrained.errors import PipelineError, unwritable
from ae_pretrained.memory import keep_freed_memory
from ae_pretrained.names import shown_lines


def run_stage(main: Callable[[], None]) -> None:
    keep_freed_memory()
    try:
        main()
    except PipelineError as error:
        sys.exit(f"\nERROR: {shown_lines(str(error))}")
    except OSError as error:
        if (sentence := unwritable(error)) is None:
            raise
        sys.exit(f"\nERROR: {shown_lines(sentence)}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Run the same command again to go on from the last finished epoch.")
