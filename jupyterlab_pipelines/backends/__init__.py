"""Engines behind one protocol: the embedded one and Kubeflow."""
