"""Files in both directions: one table of layers, in every shape of model, for tf-keras to write and for kcore.

`layers.py` is the table, `shapes.py` makes models of its entries on either framework, `training.py` has optimizers
and training configurations, `custom.py` what users bring themselves.
"""
