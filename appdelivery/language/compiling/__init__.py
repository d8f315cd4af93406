"""From a definition file to one Python function per group of sections."""
