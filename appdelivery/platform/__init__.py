"""The composition root and the list of what the product can do: one linear function per use case.

CLI, REST and gitops call these and nothing deeper.  Modules by noun: documents and overrides (what the user gave),
rendering (pure; the light path), local (opens store and clusters), delivering, looking, managing.  Everything async or
heavy is imported inside the functions that open it, so that importing a module here costs nothing.
"""
