"""Random models and trainings, drawn from a seed, computed by kcore and by an independent reference on tf-keras.

`draw.py` draws a case as plain JSON; `build.py` makes its model on either framework; `ours.py` runs it in kcore;
`reference.py` runs it as Keras 2.1.6 would, with tf-keras's layers under a training loop written out here.
"""
