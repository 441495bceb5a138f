"""What the values of a Kubernetes API server mean: how an object is stored, what it is called, and the object itself.

Format: docs/formats/kubernetes.md.
Upstream: ``staging/src/k8s.io/{api,apimachinery,apiserver}`` @ Kubernetes 1.37.
"""

from __future__ import annotations
