"""python -m appdelivery.cli"""

from appdelivery.cli import entry

entry()
