"""An object as a manifest for ``kubectl apply``: without what a server sets, and what would stop or hurt it elsewhere.

What is taken out, and why, is told in notes; docs/formats/kubernetes.md, "Manifests", is the list.
Upstream: ``apimachinery/pkg/apis/meta/v1/types.go``, ``pkg/registry/core/service``, ``pkg/registry/batch/job``,
``plugin/pkg/admission/{serviceaccount,priority}`` @ Kubernetes 1.37.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etcdtool.model.kubernetes.redaction import LAST_APPLIED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Manifest", "manifest_of"]

_SET_BY_SERVER = (
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "clusterName",
    "initializers",
)
_OF_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")
_DELETING_FINALIZERS = frozenset({"foregroundDeletion", "orphan"})
_SET_ANNOTATIONS = frozenset(
    {
        LAST_APPLIED,
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "batch.kubernetes.io/job-tracking",
        "autoscaling.alpha.kubernetes.io/conditions",
        "autoscaling.alpha.kubernetes.io/current-metrics",
        "kubernetes.io/service-account.uid",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "control-plane.alpha.kubernetes.io/leader",
    }
)
_JOB_LABELS = frozenset(
    {
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
        "job-name",
        "batch.kubernetes.io/job-name",
    }
)
_RUNTIME_KINDS = frozenset(
    {
        "ControllerRevision",
        "Endpoints",
        "EndpointSlice",
        "Event",
        "Lease",
        "Node",
        "RangeAllocation",
        "VolumeAttachment",
    }
)
_TOKEN_VOLUME = "kube-api-access-"  # noqa: S105  the name of a volume
_TOKEN_SECRET_TYPE = "kubernetes.io/service-account-token"  # noqa: S105  the type of a Secret
_HEADLESS = "None"


@dataclass(slots=True)
class Manifest:
    """A manifest.

    Attributes:
        document: what to apply.
        notes: what was taken out that a person may miss, and what to look at first, a line each.
    """

    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def manifest_of(document: Mapping[str, Any]) -> Manifest:
    """Return the manifest of a whole object; the object itself stays as it is."""
    manifest = Manifest(copy.deepcopy(dict(document)))
    kind = str(manifest.document.get("kind", ""))
    group = str(manifest.document.get("apiVersion", "")).rpartition("/")[0]
    if kind in _RUNTIME_KINDS:
        manifest.notes.append(f"Kubernetes writes every {kind} itself; it is seldom one that has to be applied")
    _clean_metadata(manifest)
    manifest.document.pop("status", None)
    if (clean := _OF_KIND.get((group, kind))) is not None:
        clean(manifest, _mapping(manifest.document, "spec"))
    _drop_unset_times(manifest.document)
    return manifest


def _mapping(parent: Any, name: str) -> dict[str, Any]:
    """Return a mapping below another, an empty one of no effect where there is none."""
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}


def _mappings(parent: Any, name: str) -> list[dict[str, Any]]:
    found = parent.get(name) if isinstance(parent, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _drop(parent: dict[str, Any], *names: str) -> list[str]:
    """Take fields out; return those that were there."""
    return [name for name in names if parent.pop(name, None) not in (None, "", [], {})]


def _clean_metadata(manifest: Manifest) -> None:
    metadata = _mapping(manifest.document, "metadata")
    _drop(metadata, *_SET_BY_SERVER)
    if _drop(metadata, *_OF_DELETION):
        manifest.notes.append("it was being deleted when this was saved")
    owners = [f"{owner.get('kind')} {owner.get('name')}" for owner in _mappings(metadata, "ownerReferences")]
    metadata.pop("ownerReferences", None)
    if owners:
        manifest.notes.append(
            f"ownerReferences are left out ({', '.join(owners)}): they name owners by uid, and what has an owner that "
            "is not there is deleted at once; restore the owner instead where it makes this object anew"
        )
    _clean_finalizers(manifest, metadata)
    annotations = _mapping(metadata, "annotations")
    for name in _SET_ANNOTATIONS & annotations.keys():
        del annotations[name]
    if not annotations:
        metadata.pop("annotations", None)


def _clean_finalizers(manifest: Manifest, metadata: dict[str, Any]) -> None:
    finalizers = metadata.get("finalizers")
    if not isinstance(finalizers, list):
        return
    kept = [name for name in finalizers if name not in _DELETING_FINALIZERS]
    metadata["finalizers"] = kept
    if not kept:
        del metadata["finalizers"]
        return
    own = [str(name) for name in kept if not str(name).startswith("kubernetes.io/")]
    if own:
        manifest.notes.append(f"finalizers are kept ({', '.join(own)}): whoever they belong to has to be there")


def _drop_unset_times(node: Any) -> None:
    """Take the ``creationTimestamp: null`` out that Go writes into every template's metadata."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "metadata" and isinstance(value, dict) and value.get("creationTimestamp", "") is None:
                del value["creationTimestamp"]
            _drop_unset_times(value)
    elif isinstance(node, list):
        for value in node:
            _drop_unset_times(value)


def _clean_service(manifest: Manifest, spec: dict[str, Any]) -> None:
    address = spec.get("clusterIP")
    if address != _HEADLESS and _drop(spec, "clusterIP", "clusterIPs"):
        manifest.notes.append(f"clusterIP {address} is left out: a new one is given; put it back to keep the old one")
    if _drop(spec, "healthCheckNodePort"):
        manifest.notes.append("healthCheckNodePort is left out: a new one is given")
    ports = [str(port["nodePort"]) for port in _mappings(spec, "ports") if port.get("nodePort")]
    if ports:
        manifest.notes.append(f"nodePort {', '.join(ports)} is kept: it is refused where another Service has it")


def _clean_pod(manifest: Manifest, spec: dict[str, Any]) -> None:
    for name in _drop(spec, "nodeName", "ephemeralContainers"):
        why = "the scheduler finds a node" if name == "nodeName" else "a Pod cannot be made with them"
        manifest.notes.append(f"{name} {'is' if name == 'nodeName' else 'are'} left out: {why}")
    _drop(spec, "priority", "preemptionPolicy")  # from priorityClassName, and refused where they differ
    volumes = _mappings(spec, "volumes")
    injected = {one.get("name") for one in volumes if str(one.get("name", "")).startswith(_TOKEN_VOLUME)}
    if not injected:
        return
    _keep(spec, "volumes", [one for one in volumes if one.get("name") not in injected])
    for containers in ("containers", "initContainers"):
        for container in _mappings(spec, containers):
            mounts = _mappings(container, "volumeMounts")
            _keep(container, "volumeMounts", [one for one in mounts if one.get("name") not in injected])


def _keep(parent: dict[str, Any], name: str, kept: list[dict[str, Any]]) -> None:
    if kept:
        parent[name] = kept
    else:
        parent.pop(name, None)


def _clean_job(manifest: Manifest, spec: dict[str, Any]) -> None:
    manifest.notes.append("a Job runs when it is applied, though it had run before")
    if spec.get("manualSelector") is True:
        return
    spec.pop("selector", None)
    for metadata in (
        _mapping(manifest.document, "metadata"),
        _mapping(_mapping(spec, "template"), "metadata"),
    ):
        labels = _mapping(metadata, "labels")
        for name in _JOB_LABELS & labels.keys():
            del labels[name]
        if not labels:
            metadata.pop("labels", None)


def _clean_claim(manifest: Manifest, spec: dict[str, Any]) -> None:
    if spec.get("volumeName"):
        manifest.notes.append(
            f"volumeName {spec['volumeName']} is kept: the claim waits until that volume is there and free"
        )


def _clean_volume(manifest: Manifest, spec: dict[str, Any]) -> None:
    claim = _mapping(spec, "claimRef")
    if _drop(claim, "uid", "resourceVersion"):
        place = f"{claim.get('namespace')}/{claim.get('name')}"
        manifest.notes.append(f"claimRef has lost its uid: the volume is for the next claim called {place}")


def _clean_namespace(_: Manifest, spec: dict[str, Any]) -> None:
    finalizers = spec.get("finalizers")
    if isinstance(finalizers, list):
        spec["finalizers"] = [name for name in finalizers if name != "kubernetes"]
        if not spec["finalizers"]:
            del spec["finalizers"]


def _clean_account(manifest: Manifest, _: dict[str, Any]) -> None:
    own = f"{_mapping(manifest.document, 'metadata').get('name')}-token-"
    secrets = _mappings(manifest.document, "secrets")
    if secrets:
        kept = [one for one in secrets if not str(one.get("name", "")).startswith(own)]
        _keep(manifest.document, "secrets", kept)


def _clean_secret(manifest: Manifest, _: dict[str, Any]) -> None:
    if manifest.document.get("type") == _TOKEN_SECRET_TYPE:
        manifest.notes.append("its token is good for the ServiceAccount of that time alone; a new one is set")


def _clean_request(_: Manifest, spec: dict[str, Any]) -> None:
    _drop(spec, "username", "uid", "groups", "extra")


_OF_KIND: dict[tuple[str, str], Callable[[Manifest, dict[str, Any]], None]] = {
    ("", "Service"): _clean_service,
    ("", "Pod"): _clean_pod,
    ("batch", "Job"): _clean_job,
    ("", "PersistentVolumeClaim"): _clean_claim,
    ("", "PersistentVolume"): _clean_volume,
    ("", "Namespace"): _clean_namespace,
    ("", "ServiceAccount"): _clean_account,
    ("", "Secret"): _clean_secret,
    ("certificates.k8s.io", "CertificateSigningRequest"): _clean_request,
}
"""By group and kind: others may have a Service of their own."""
