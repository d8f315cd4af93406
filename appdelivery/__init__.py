"""appdelivery: describe an application once; appctl renders it, rolls it out and remembers everything."""

__version__ = "0.1.0"
