"""Everything that turns text into trusted structure: YAML in and out, expressions, the definition compiler, parameter
schemas, patches.  Pure: text and values in, values or a list of problems out.  It never knows what a Component is.
"""
