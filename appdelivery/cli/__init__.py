"""appctl: one file a command, each with add(parser) and run(args); only the typed command's module is imported.

main() imports nothing but sys until it knows the command: one careless import costs more than a whole render.
"""

import sys


def main(argv: list[str] | None = None) -> int:
    """Runs one command and answers its exit code (interface.md 1.5)."""
    words = sys.argv[1:] if argv is None else argv
    import gc

    from appdelivery.cli import failures

    # A command lives for a tenth of a second: collecting what imports make costs more than it ever gives back.
    gc.set_threshold(50_000, 20, 100)
    try:
        from appdelivery.cli import dispatch

        return dispatch.run(words)
    except SystemExit as error:  # argparse, after it has printed
        return error.code if isinstance(error.code, int) else 64
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`appctl list | head`): nothing to say, and nobody to say it to.
        sys.stdout = None
        return 0
    except Exception as error:  # the one place where every failure becomes text and an exit code
        return failures.report(error, words)


def entry() -> None:
    """The console script: leaves at once, without the interpreter's slow tear-down."""
    code = main()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    import os

    os._exit(code)
