"""What a Kubernetes API server names by a key: resource, namespace and name, from the key alone.

``<prefix>/[<group>/]<resource>/[<namespace>/]<name>``, where the prefix is that of ``kube-apiserver --etcd-prefix``,
``/registry`` unless it was changed.  Kinds of Kubernetes' own lie without their group; those of other groups, which
CustomResourceDefinitions bring, lie below it, and a group's name always has a dot.
Format: docs/formats/kubernetes.md, "Keys".
Upstream: ``pkg/registry/*/*/storage``, ``pkg/kubeapiserver/default_storage_factory_builder.go`` @ Kubernetes 1.37.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ETCD_PREFIXES", "ObjectKey", "is_own", "parse_key", "plural", "resource_folders"]

ETCD_PREFIXES = (b"/registry", b"/kubernetes.io", b"/openshift.io")
"""What API servers write below unless they were told otherwise: Kubernetes, and both halves of OpenShift."""

_FOLDERS = {
    "minions": "nodes",
    "controllers": "replicationcontrollers",
    "ingress": "ingresses",
    "services/specs": "services",
    "services/endpoints": "endpoints",
    "apiextensions.k8s.io/customresourcedefinitions": "customresourcedefinitions",
    "apiregistration.k8s.io/apiservices": "apiservices",
}
"""Where the folder is not called as the resource is."""

_SHORT_NAMES = {
    "cj": "cronjobs",
    "cm": "configmaps",
    "crd": "customresourcedefinitions",
    "crds": "customresourcedefinitions",
    "csr": "certificatesigningrequests",
    "deploy": "deployments",
    "ds": "daemonsets",
    "endpoints": "endpoints",
    "ep": "endpoints",
    "ev": "events",
    "hpa": "horizontalpodautoscalers",
    "ing": "ingresses",
    "limits": "limitranges",
    "netpol": "networkpolicies",
    "no": "nodes",
    "ns": "namespaces",
    "pc": "priorityclasses",
    "pdb": "poddisruptionbudgets",
    "po": "pods",
    "pv": "persistentvolumes",
    "pvc": "persistentvolumeclaims",
    "quota": "resourcequotas",
    "rc": "replicationcontrollers",
    "rs": "replicasets",
    "sa": "serviceaccounts",
    "sc": "storageclasses",
    "sts": "statefulsets",
    "svc": "services",
}
"""What ``kubectl`` takes too."""

_OWN_RESOURCES = frozenset(_SHORT_NAMES.values()) | {
    "apiservices",
    "clusterrolebindings",
    "clusterroles",
    "componentstatuses",
    "controllerrevisions",
    "csidrivers",
    "csinodes",
    "csistoragecapacities",
    "deviceclasses",
    "endpointslices",
    "flowschemas",
    "ingressclasses",
    "ipaddresses",
    "jobs",
    "leases",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "podtemplates",
    "prioritylevelconfigurations",
    "resourceclaims",
    "resourceclaimtemplates",
    "resourceslices",
    "rolebindings",
    "roles",
    "runtimeclasses",
    "secrets",
    "servicecidrs",
    "storageversionmigrations",
    "storageversions",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
    "volumeattachments",
    "volumeattributesclasses",
}
"""Resources of Kubernetes' own; a custom resource may be called the same, and is named with its group then."""

_CLUSTER_NAMED = frozenset({"ranges", "masterleases", "peerserverleases"})
"""What API servers keep beside objects: one name each, no namespace."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """What a key names.

    Attributes:
        group: the API group as far as the key tells: "" for all of Kubernetes' own but the few that have a folder.
        resource: the plural in the API's words: ``nodes`` for the folder ``minions``.
        namespace: "" where an object has none.
        name: its name.
    """

    group: str
    resource: str
    namespace: str
    name: str

    @property
    def group_resource(self) -> str:
        """The resource as ``kubectl`` and EncryptionConfiguration files name it: ``widgets.example.com``."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


def parse_key(key: bytes, prefixes: tuple[bytes, ...] = ETCD_PREFIXES) -> ObjectKey | None:
    """Return what a key names, or None where it is not laid out as API servers do.

    Args:
        key: as etcd holds it.
        prefixes: what it may begin with, without a slash at the end.
    """
    for prefix in prefixes:
        if key.startswith(prefix) and key[len(prefix) : len(prefix) + 1] == b"/":
            try:
                return _parse_path(key[len(prefix) + 1 :].decode())
            except UnicodeDecodeError:
                return None
    return None


def resource_folders(resource: str) -> tuple[str, ...]:
    """Return the folders, below the prefix, that the objects of a resource may lie in: the likely one first.

    Args:
        resource: a plural (``pods``), or one with its group (``widgets.example.com``).
    """
    name, _, group = resource.partition(".")
    if group:
        return f"{group}/{name}", name
    folders = [folder for folder, called in _FOLDERS.items() if called == name]
    return *folders, name


def is_own(resource: str) -> bool:
    """Tell whether a plural without a group is one of Kubernetes' own resources."""
    return resource in _OWN_RESOURCES


def plural(word: str) -> str:
    """Return the resource that a word of ``kubectl``'s stands for: ``Pod``, ``cm`` and ``ingress`` do; in lower case.

    A word that is a plural already, or one of a custom resource, is taken to be one if it ends like one.
    """
    name, dot, group = word.lower().partition(".")
    if name in _SHORT_NAMES:
        name = _SHORT_NAMES[name]
    elif name.endswith(("ss", "x", "ch")):
        name += "es"
    elif name.endswith("y") and not name.endswith("ey"):
        name = f"{name[:-1]}ies"
    elif not name.endswith("s"):
        name += "s"
    return f"{name}{dot}{group}"


def _parse_path(path: str) -> ObjectKey | None:
    parts = path.split("/")
    group = ""
    if len(parts) > 2 and "." in parts[0]:
        group = parts.pop(0)
    folder = "/".join(parts[:2]) if "/".join(parts[:2]) in _FOLDERS and not group else parts[0]
    rest = parts[folder.count("/") + 1 :]
    if not folder or not all(rest) or not 1 <= len(rest) <= 2:
        return None
    if folder in _CLUSTER_NAMED and len(rest) != 1:
        return None
    resource = folder if group else _FOLDERS.get(folder, folder)
    namespace, name = rest if len(rest) == 2 else ("", rest[0])
    return ObjectKey(group, resource, namespace, name)
