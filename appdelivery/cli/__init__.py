"""appctl: one file a command, each with add(parser) and run(args); only the typed command's module is imported."""
