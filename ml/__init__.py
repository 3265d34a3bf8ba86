"""Brain MRI classification without Django: images in, calibrated answers out.

Usable from a notebook and from the command line (``python -m ml …``). Importing this package
loads neither TensorFlow nor Django.
"""
