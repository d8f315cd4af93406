"""appctl: one file a command, each with add(parser) and run(args); only the typed command's module is imported.

main() imports nothing but sys until it knows the command: one careless import costs more than a whole render.
"""

import sys


def main(argv: list[str] | None = None) -> int:
    """Runs one command and answers its exit code (interface.md 1.5)."""
    words = sys.argv[1:] if argv is None else argv
    import gc

    # A command lives for a tenth of a second: collecting what imports make costs more than it ever gives back.
    gc.set_threshold(200_000, 20, 100)
    try:
        return _run(words)
    except SystemExit as error:  # argparse, after it has printed
        return error.code if isinstance(error.code, int) else 64
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`appctl list | head`): nothing to say, and nobody to say it to.
        sys.stdout = None
        return 0
    except Exception as error:  # the one place where every failure becomes text and an exit code
        from appdelivery.cli import failures

        return failures.report(error, words)


def _run(words: list[str]) -> int:
    from appdelivery.cli import dispatch

    if sys.stdout is None:  # closed by the caller: the exit code is all that is asked for
        import os

        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    code = dispatch.run(words)
    sys.stdout.flush()  # here, so that an answer that cannot be written is a failure like any other
    return code


def entry() -> None:
    """The console script: leaves at once, without the interpreter's slow tear-down."""
    code = main()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # told by main, or nobody is there to be told
        pass
    import os

    os._exit(code)
