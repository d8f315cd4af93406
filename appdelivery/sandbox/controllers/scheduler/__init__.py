"""The scheduler: where a pod may run (`filters`, `affinity`, `spread`), where it runs best (`scoring`), and why nowhere.

`rooms` keeps what is taken on each node, `scheduling` is the controller.  Equal clusters give equal choices.
"""
