"""How Go writes the fields of Kubernetes' types as JSON, where their protobuf does not tell.

Written by tests/support/kubernetes.py from the types of k8s.io/api v0.37.2.
"""

from __future__ import annotations

from functools import cache

__all__ = ["go_fields"]


@cache
def go_fields() -> dict[str, dict[int, tuple[str, str]]]:
    """Return message -> number of a field -> how it is written and its name in JSON ("": that of the protobuf).

    How: a value of `etcdtool.model.kubernetes.schema.Written`.  All messages are there, those without such fields too.
    """
    found: dict[str, dict[int, tuple[str, str]]] = {}
    fields: dict[int, tuple[str, str]] = {}
    for line in _TABLE.splitlines():
        words = line.split()
        if not line.startswith(" "):
            fields = found.setdefault(words.pop(0), {})
        for word in words:
            number, _, rest = word.partition(":")
            how, _, name = rest.partition("=")
            fields[int(number)] = how, name
    return found


_TABLE = """\
k8s.io.api.admissionregistration.v1.ApplyConfiguration
k8s.io.api.admissionregistration.v1.AuditAnnotation 1:! 2:!
k8s.io.api.admissionregistration.v1.ExpressionWarning 2:! 3:!
k8s.io.api.admissionregistration.v1.JSONPatch
k8s.io.api.admissionregistration.v1.MatchCondition 1:! 2:!
k8s.io.api.admissionregistration.v1.MatchResources 7:?
k8s.io.api.admissionregistration.v1.MutatingAdmissionPolicy 1:! 2:!
k8s.io.api.admissionregistration.v1.MutatingAdmissionPolicyBinding 1:! 2:!
k8s.io.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpec
k8s.io.api.admissionregistration.v1.MutatingAdmissionPolicySpec 5:?
k8s.io.api.admissionregistration.v1.MutatingWebhook 1:! 2:! 4:? 9:? 6:n 7:? 8:! 10:?
k8s.io.api.admissionregistration.v1.MutatingWebhookConfiguration 1:! 2:=webhooks
k8s.io.api.admissionregistration.v1.Mutation 2:!
k8s.io.api.admissionregistration.v1.NamedRuleWithOperations 2:>
k8s.io.api.admissionregistration.v1.ParamKind
k8s.io.api.admissionregistration.v1.ParamRef 4:?
k8s.io.api.admissionregistration.v1.Rule 4:?
k8s.io.api.admissionregistration.v1.RuleWithOperations 2:>
k8s.io.api.admissionregistration.v1.ServiceReference 1:! 2:! 3:? 4:?
k8s.io.api.admissionregistration.v1.TypeChecking
k8s.io.api.admissionregistration.v1.ValidatingAdmissionPolicy 1:! 2:! 3:!
k8s.io.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding 1:! 2:!
k8s.io.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec
k8s.io.api.admissionregistration.v1.ValidatingAdmissionPolicySpec 4:?
k8s.io.api.admissionregistration.v1.ValidatingAdmissionPolicyStatus
k8s.io.api.admissionregistration.v1.ValidatingWebhook 1:! 2:! 4:? 9:? 6:n 7:? 8:!
k8s.io.api.admissionregistration.v1.ValidatingWebhookConfiguration 1:! 2:=webhooks
k8s.io.api.admissionregistration.v1.Validation 1:!=expression 3:?
k8s.io.api.admissionregistration.v1.Variable 1:!=name 2:!=expression
k8s.io.api.admissionregistration.v1.WebhookClientConfig 3:?
k8s.io.api.admissionregistration.v1alpha1.ApplyConfiguration
k8s.io.api.admissionregistration.v1alpha1.AuditAnnotation 1:! 2:!
k8s.io.api.admissionregistration.v1alpha1.ExpressionWarning 2:! 3:!
k8s.io.api.admissionregistration.v1alpha1.JSONPatch
k8s.io.api.admissionregistration.v1alpha1.MatchCondition 1:! 2:!
k8s.io.api.admissionregistration.v1alpha1.MatchResources 7:?
k8s.io.api.admissionregistration.v1alpha1.MutatingAdmissionPolicy 1:! 2:!
k8s.io.api.admissionregistration.v1alpha1.MutatingAdmissionPolicyBinding 1:! 2:!
k8s.io.api.admissionregistration.v1alpha1.MutatingAdmissionPolicyBindingSpec
k8s.io.api.admissionregistration.v1alpha1.MutatingAdmissionPolicySpec 5:?
k8s.io.api.admissionregistration.v1alpha1.Mutation 2:!
k8s.io.api.admissionregistration.v1alpha1.NamedRuleWithOperations 2:>
k8s.io.api.admissionregistration.v1alpha1.ParamKind
k8s.io.api.admissionregistration.v1alpha1.ParamRef 4:?
k8s.io.api.admissionregistration.v1alpha1.TypeChecking
k8s.io.api.admissionregistration.v1alpha1.ValidatingAdmissionPolicy 1:! 2:! 3:!
k8s.io.api.admissionregistration.v1alpha1.ValidatingAdmissionPolicyBinding 1:! 2:!
k8s.io.api.admissionregistration.v1alpha1.ValidatingAdmissionPolicyBindingSpec
k8s.io.api.admissionregistration.v1alpha1.ValidatingAdmissionPolicySpec 4:?
k8s.io.api.admissionregistration.v1alpha1.ValidatingAdmissionPolicyStatus
k8s.io.api.admissionregistration.v1alpha1.Validation 1:!=expression 3:?
k8s.io.api.admissionregistration.v1alpha1.Variable 1:!=name 2:!=expression
k8s.io.api.admissionregistration.v1beta1.ApplyConfiguration
k8s.io.api.admissionregistration.v1beta1.AuditAnnotation 1:! 2:!
k8s.io.api.admissionregistration.v1beta1.ExpressionWarning 2:! 3:!
k8s.io.api.admissionregistration.v1beta1.JSONPatch
k8s.io.api.admissionregistration.v1beta1.MatchCondition 1:! 2:!
k8s.io.api.admissionregistration.v1beta1.MatchResources 7:?
k8s.io.api.admissionregistration.v1beta1.MutatingAdmissionPolicy 1:! 2:!
k8s.io.api.admissionregistration.v1beta1.MutatingAdmissionPolicyBinding 1:! 2:!
k8s.io.api.admissionregistration.v1beta1.MutatingAdmissionPolicyBindingSpec
k8s.io.api.admissionregistration.v1beta1.MutatingAdmissionPolicySpec 5:?
k8s.io.api.admissionregistration.v1beta1.MutatingWebhook 1:! 2:! 4:? 9:? 6:? 7:? 10:?
k8s.io.api.admissionregistration.v1beta1.MutatingWebhookConfiguration 1:! 2:=webhooks
k8s.io.api.admissionregistration.v1beta1.Mutation 2:!
k8s.io.api.admissionregistration.v1beta1.NamedRuleWithOperations 2:>
k8s.io.api.admissionregistration.v1beta1.ParamKind
k8s.io.api.admissionregistration.v1beta1.ParamRef 4:?
k8s.io.api.admissionregistration.v1beta1.ServiceReference 1:! 2:! 3:? 4:?
k8s.io.api.admissionregistration.v1beta1.TypeChecking
k8s.io.api.admissionregistration.v1beta1.ValidatingAdmissionPolicy 1:! 2:! 3:!
k8s.io.api.admissionregistration.v1beta1.ValidatingAdmissionPolicyBinding 1:! 2:!
k8s.io.api.admissionregistration.v1beta1.ValidatingAdmissionPolicyBindingSpec
k8s.io.api.admissionregistration.v1beta1.ValidatingAdmissionPolicySpec 4:?
k8s.io.api.admissionregistration.v1beta1.ValidatingAdmissionPolicyStatus
k8s.io.api.admissionregistration.v1beta1.ValidatingWebhook 1:! 2:! 4:? 9:? 6:? 7:?
k8s.io.api.admissionregistration.v1beta1.ValidatingWebhookConfiguration 1:! 2:=webhooks
k8s.io.api.admissionregistration.v1beta1.Validation 1:!=expression 3:?
k8s.io.api.admissionregistration.v1beta1.Variable 1:!=name 2:!=expression
k8s.io.api.admissionregistration.v1beta1.WebhookClientConfig 3:?
k8s.io.api.apidiscovery.v2.APIGroupDiscovery 1:!
k8s.io.api.apidiscovery.v2.APIResourceDiscovery 1:! 3:! 4:! 5:!
k8s.io.api.apidiscovery.v2.APISubresourceDiscovery 1:! 4:!
k8s.io.api.apidiscovery.v2.APIVersionDiscovery 1:!
k8s.io.api.apidiscovery.v2beta1.APIGroupDiscovery 1:!
k8s.io.api.apidiscovery.v2beta1.APIResourceDiscovery 1:! 3:! 4:! 5:!
k8s.io.api.apidiscovery.v2beta1.APISubresourceDiscovery 1:! 4:!
k8s.io.api.apidiscovery.v2beta1.APIVersionDiscovery 1:!
k8s.io.api.apiserverinternal.v1alpha1.ServerStorageVersion
k8s.io.api.apiserverinternal.v1alpha1.StorageVersion 1:! 2:! 3:!
k8s.io.api.apiserverinternal.v1alpha1.StorageVersionCondition 1:! 2:! 4:! 5:!
k8s.io.api.apiserverinternal.v1alpha1.StorageVersionSpec
k8s.io.api.apiserverinternal.v1alpha1.StorageVersionStatus 2:?
k8s.io.api.apps.v1.ControllerRevision 1:! 2:! 3:!
k8s.io.api.apps.v1.DaemonSet 1:! 2:! 3:!
k8s.io.api.apps.v1.DaemonSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1.DaemonSetSpec 1:n 2:! 3:! 6:?
k8s.io.api.apps.v1.DaemonSetStatus 1:! 2:! 3:! 4:! 9:?
k8s.io.api.apps.v1.DaemonSetUpdateStrategy
k8s.io.api.apps.v1.Deployment 1:! 2:! 3:!
k8s.io.api.apps.v1.DeploymentCondition 1:! 2:! 6:! 7:!
k8s.io.api.apps.v1.DeploymentSpec 1:? 2:n 3:! 4:! 6:? 9:?
k8s.io.api.apps.v1.DeploymentStatus 9:? 8:?
k8s.io.api.apps.v1.DeploymentStrategy
k8s.io.api.apps.v1.ReplicaSet 1:! 2:! 3:!
k8s.io.api.apps.v1.ReplicaSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1.ReplicaSetSpec 1:? 2:n 3:!
k8s.io.api.apps.v1.ReplicaSetStatus 1:! 7:?
k8s.io.api.apps.v1.RollingUpdateDaemonSet
k8s.io.api.apps.v1.RollingUpdateDeployment
k8s.io.api.apps.v1.RollingUpdateStatefulSetStrategy 1:?
k8s.io.api.apps.v1.StatefulSet 1:! 2:! 3:!
k8s.io.api.apps.v1.StatefulSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1.StatefulSetOrdinals 1:!
k8s.io.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy
k8s.io.api.apps.v1.StatefulSetSpec 1:? 2:n 3:! 5:! 7:! 8:?
k8s.io.api.apps.v1.StatefulSetStatus 2:! 9:? 11:!
k8s.io.api.apps.v1.StatefulSetUpdateStrategy
k8s.io.api.apps.v1beta1.ControllerRevision 1:! 2:! 3:!
k8s.io.api.apps.v1beta1.Deployment 1:! 2:! 3:!
k8s.io.api.apps.v1beta1.DeploymentCondition 1:! 2:! 6:! 7:!
k8s.io.api.apps.v1beta1.DeploymentSpec 1:? 3:! 4:! 6:? 9:?
k8s.io.api.apps.v1beta1.DeploymentStatus 9:? 8:?
k8s.io.api.apps.v1beta1.DeploymentStrategy
k8s.io.api.apps.v1beta1.RollbackConfig
k8s.io.api.apps.v1beta1.RollingUpdateDeployment
k8s.io.api.apps.v1beta1.RollingUpdateStatefulSetStrategy 1:?
k8s.io.api.apps.v1beta1.Scale 1:! 2:! 3:!
k8s.io.api.apps.v1beta1.ScaleSpec
k8s.io.api.apps.v1beta1.ScaleStatus 1:!
k8s.io.api.apps.v1beta1.StatefulSet 1:! 2:! 3:!
k8s.io.api.apps.v1beta1.StatefulSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1beta1.StatefulSetOrdinals 1:!
k8s.io.api.apps.v1beta1.StatefulSetPersistentVolumeClaimRetentionPolicy
k8s.io.api.apps.v1beta1.StatefulSetSpec 1:? 3:! 5:! 7:! 8:?
k8s.io.api.apps.v1beta1.StatefulSetStatus 1:? 2:! 9:? 11:!
k8s.io.api.apps.v1beta1.StatefulSetUpdateStrategy
k8s.io.api.apps.v1beta2.ControllerRevision 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.DaemonSet 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.DaemonSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.DaemonSetSpec 1:n 2:! 3:! 6:?
k8s.io.api.apps.v1beta2.DaemonSetStatus 1:! 2:! 3:! 4:! 9:?
k8s.io.api.apps.v1beta2.DaemonSetUpdateStrategy
k8s.io.api.apps.v1beta2.Deployment 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.DeploymentCondition 1:! 2:! 6:! 7:!
k8s.io.api.apps.v1beta2.DeploymentSpec 1:? 2:n 3:! 4:! 6:? 9:?
k8s.io.api.apps.v1beta2.DeploymentStatus 9:? 8:?
k8s.io.api.apps.v1beta2.DeploymentStrategy
k8s.io.api.apps.v1beta2.ReplicaSet 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.ReplicaSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.ReplicaSetSpec 1:? 2:n 3:!
k8s.io.api.apps.v1beta2.ReplicaSetStatus 1:! 7:?
k8s.io.api.apps.v1beta2.RollingUpdateDaemonSet
k8s.io.api.apps.v1beta2.RollingUpdateDeployment
k8s.io.api.apps.v1beta2.RollingUpdateStatefulSetStrategy 1:?
k8s.io.api.apps.v1beta2.Scale 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.ScaleSpec
k8s.io.api.apps.v1beta2.ScaleStatus 1:!
k8s.io.api.apps.v1beta2.StatefulSet 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.StatefulSetCondition 1:! 2:! 3:!
k8s.io.api.apps.v1beta2.StatefulSetOrdinals 1:!
k8s.io.api.apps.v1beta2.StatefulSetPersistentVolumeClaimRetentionPolicy
k8s.io.api.apps.v1beta2.StatefulSetSpec 1:? 2:n 3:! 5:! 7:! 8:?
k8s.io.api.apps.v1beta2.StatefulSetStatus 2:! 9:? 11:!
k8s.io.api.apps.v1beta2.StatefulSetUpdateStrategy
k8s.io.api.authentication.v1.BoundObjectReference 4:=uid
k8s.io.api.authentication.v1.SelfSubjectReview 1:! 2:!
k8s.io.api.authentication.v1.SelfSubjectReviewStatus 1:!
k8s.io.api.authentication.v1.TokenRequest 1:! 2:! 3:!
k8s.io.api.authentication.v1.TokenRequestSpec 1:! 4:n 3:n
k8s.io.api.authentication.v1.TokenRequestStatus 1:! 2:!
k8s.io.api.authentication.v1.TokenReview 1:! 2:! 3:!
k8s.io.api.authentication.v1.TokenReviewSpec
k8s.io.api.authentication.v1.TokenReviewStatus 2:!
k8s.io.api.authentication.v1.UserInfo
k8s.io.api.authentication.v1alpha1.SelfSubjectReview 1:! 2:!
k8s.io.api.authentication.v1alpha1.SelfSubjectReviewStatus 1:!
k8s.io.api.authentication.v1beta1.SelfSubjectReview 1:! 2:!
k8s.io.api.authentication.v1beta1.SelfSubjectReviewStatus 1:!
k8s.io.api.authentication.v1beta1.TokenReview 1:! 2:! 3:!
k8s.io.api.authentication.v1beta1.TokenReviewSpec
k8s.io.api.authentication.v1beta1.TokenReviewStatus 2:!
k8s.io.api.authentication.v1beta1.UserInfo
k8s.io.api.authorization.v1.FieldSelectorAttributes
k8s.io.api.authorization.v1.LabelSelectorAttributes
k8s.io.api.authorization.v1.LocalSubjectAccessReview 1:! 2:! 3:!
k8s.io.api.authorization.v1.NonResourceAttributes
k8s.io.api.authorization.v1.NonResourceRule 1:!
k8s.io.api.authorization.v1.ResourceAttributes
k8s.io.api.authorization.v1.ResourceRule 1:!
k8s.io.api.authorization.v1.SelfSubjectAccessReview 1:! 2:! 3:!
k8s.io.api.authorization.v1.SelfSubjectAccessReviewSpec
k8s.io.api.authorization.v1.SelfSubjectRulesReview 1:! 2:! 3:!
k8s.io.api.authorization.v1.SelfSubjectRulesReviewSpec
k8s.io.api.authorization.v1.SubjectAccessReview 1:! 2:! 3:!
k8s.io.api.authorization.v1.SubjectAccessReviewSpec
k8s.io.api.authorization.v1.SubjectAccessReviewStatus 1:!
k8s.io.api.authorization.v1.SubjectRulesReviewStatus 1:! 2:! 3:!
k8s.io.api.authorization.v1beta1.LocalSubjectAccessReview 1:! 2:! 3:!
k8s.io.api.authorization.v1beta1.NonResourceAttributes
k8s.io.api.authorization.v1beta1.NonResourceRule 1:!
k8s.io.api.authorization.v1beta1.ResourceAttributes
k8s.io.api.authorization.v1beta1.ResourceRule 1:!
k8s.io.api.authorization.v1beta1.SelfSubjectAccessReview 1:! 2:! 3:!
k8s.io.api.authorization.v1beta1.SelfSubjectAccessReviewSpec
k8s.io.api.authorization.v1beta1.SelfSubjectRulesReview 1:! 2:! 3:!
k8s.io.api.authorization.v1beta1.SelfSubjectRulesReviewSpec
k8s.io.api.authorization.v1beta1.SubjectAccessReview 1:! 2:! 3:!
k8s.io.api.authorization.v1beta1.SubjectAccessReviewSpec
k8s.io.api.authorization.v1beta1.SubjectAccessReviewStatus 1:!
k8s.io.api.authorization.v1beta1.SubjectRulesReviewStatus 1:! 2:! 3:!
k8s.io.api.autoscaling.v1.CrossVersionObjectReference 1:! 2:!
k8s.io.api.autoscaling.v1.HorizontalPodAutoscaler 1:! 2:! 3:!
k8s.io.api.autoscaling.v1.HorizontalPodAutoscalerSpec 1:! 2:? 3:! 4:?
k8s.io.api.autoscaling.v1.HorizontalPodAutoscalerStatus 1:? 3:! 4:! 5:?
k8s.io.api.autoscaling.v1.Scale 1:! 2:! 3:!
k8s.io.api.autoscaling.v1.ScaleSpec
k8s.io.api.autoscaling.v1.ScaleStatus 1:!
k8s.io.api.autoscaling.v2.ContainerResourceMetricSource 1:! 2:! 3:!
k8s.io.api.autoscaling.v2.ContainerResourceMetricStatus 1:! 2:! 3:!
k8s.io.api.autoscaling.v2.CrossVersionObjectReference 1:! 2:!
k8s.io.api.autoscaling.v2.ExternalMetricSource 1:! 2:!
k8s.io.api.autoscaling.v2.ExternalMetricStatus 1:! 2:!
k8s.io.api.autoscaling.v2.HPAScalingPolicy 1:! 2:! 3:!
k8s.io.api.autoscaling.v2.HPAScalingRules 3:? 1:?
k8s.io.api.autoscaling.v2.HorizontalPodAutoscaler 1:! 2:! 3:!
k8s.io.api.autoscaling.v2.HorizontalPodAutoscalerBehavior
k8s.io.api.autoscaling.v2.HorizontalPodAutoscalerCondition 1:! 2:! 3:! 6:?
k8s.io.api.autoscaling.v2.HorizontalPodAutoscalerSpec 1:! 2:? 3:!
k8s.io.api.autoscaling.v2.HorizontalPodAutoscalerStatus 1:? 4:! 5:!
k8s.io.api.autoscaling.v2.MetricIdentifier 1:!
k8s.io.api.autoscaling.v2.MetricSpec 1:!
k8s.io.api.autoscaling.v2.MetricStatus 1:!
k8s.io.api.autoscaling.v2.MetricTarget 1:! 4:?
k8s.io.api.autoscaling.v2.MetricValueStatus 3:?
k8s.io.api.autoscaling.v2.ObjectMetricSource 1:! 2:! 3:!
k8s.io.api.autoscaling.v2.ObjectMetricStatus 1:! 2:! 3:!
k8s.io.api.autoscaling.v2.PodsMetricSource 1:! 2:!
k8s.io.api.autoscaling.v2.PodsMetricStatus 1:! 2:!
k8s.io.api.autoscaling.v2.ResourceMetricSource 1:! 2:!
k8s.io.api.autoscaling.v2.ResourceMetricStatus 1:! 2:!
k8s.io.api.batch.v1.CronJob 1:! 2:! 3:!
k8s.io.api.batch.v1.CronJobSpec 1:! 8:? 2:? 4:? 5:! 6:? 7:?
k8s.io.api.batch.v1.CronJobStatus
k8s.io.api.batch.v1.Job 1:! 2:! 3:!
k8s.io.api.batch.v1.JobCondition 1:! 2:! 3:! 4:!
k8s.io.api.batch.v1.JobSchedulingConfiguration
k8s.io.api.batch.v1.JobSpec 1:? 2:? 3:? 7:? 12:? 13:? 5:? 6:! 8:? 9:? 10:? 14:? 15:?
k8s.io.api.batch.v1.JobStatus 11:? 10:? 9:?
k8s.io.api.batch.v1.JobTemplateSpec 1:! 2:!
k8s.io.api.batch.v1.PodFailurePolicy 1:!
k8s.io.api.batch.v1.PodFailurePolicyOnExitCodesRequirement 1:? 2:! 3:!
k8s.io.api.batch.v1.PodFailurePolicyOnPodConditionsPattern 1:! 2:!
k8s.io.api.batch.v1.PodFailurePolicyRule 1:!
k8s.io.api.batch.v1.SuccessPolicy 1:!
k8s.io.api.batch.v1.SuccessPolicyRule 1:? 2:?
k8s.io.api.batch.v1.UncountedTerminatedPods
k8s.io.api.batch.v1beta1.CronJob 1:! 2:! 3:!
k8s.io.api.batch.v1beta1.CronJobSpec 1:! 8:? 2:? 4:? 5:! 6:? 7:?
k8s.io.api.batch.v1beta1.CronJobStatus
k8s.io.api.batch.v1beta1.JobTemplateSpec 1:! 2:!
k8s.io.api.certificates.v1.CertificateSigningRequest 1:! 2:! 3:!
k8s.io.api.certificates.v1.CertificateSigningRequestCondition 1:! 6:! 4:! 5:!
k8s.io.api.certificates.v1.CertificateSigningRequestSpec 1:! 7:! 8:?
k8s.io.api.certificates.v1.CertificateSigningRequestStatus
k8s.io.api.certificates.v1.ClusterTrustBundle 1:! 2:!
k8s.io.api.certificates.v1.ClusterTrustBundleSpec 2:!
k8s.io.api.certificates.v1.PodCertificateRequest 1:! 2:! 3:!
k8s.io.api.certificates.v1.PodCertificateRequestSpec 1:! 2:! 3:! 4:! 5:! 6:! 7:! 8:? 12:!
k8s.io.api.certificates.v1.PodCertificateRequestStatus
k8s.io.api.certificates.v1alpha1.ClusterTrustBundle 1:! 2:!
k8s.io.api.certificates.v1alpha1.ClusterTrustBundleSpec 2:!
k8s.io.api.certificates.v1beta1.CertificateSigningRequest 1:! 2:! 3:!
k8s.io.api.certificates.v1beta1.CertificateSigningRequestCondition 1:! 6:! 4:! 5:!
k8s.io.api.certificates.v1beta1.CertificateSigningRequestSpec 1:! 7:? 8:?
k8s.io.api.certificates.v1beta1.CertificateSigningRequestStatus
k8s.io.api.certificates.v1beta1.ClusterTrustBundle 1:! 2:!
k8s.io.api.certificates.v1beta1.ClusterTrustBundleSpec 2:!
k8s.io.api.certificates.v1beta1.PodCertificateRequest 1:! 2:! 3:!
k8s.io.api.certificates.v1beta1.PodCertificateRequestSpec 1:! 2:! 3:! 4:! 5:! 6:! 7:! 8:? 9:! 10:! 12:!
k8s.io.api.certificates.v1beta1.PodCertificateRequestStatus
k8s.io.api.coordination.v1.Lease 1:! 2:!
k8s.io.api.coordination.v1.LeaseSpec 1:? 2:? 5:? 6:? 7:?
k8s.io.api.coordination.v1alpha2.LeaseCandidate 1:! 2:!
k8s.io.api.coordination.v1alpha2.LeaseCandidateSpec 1:! 4:!
k8s.io.api.coordination.v1beta1.Lease 1:! 2:!
k8s.io.api.coordination.v1beta1.LeaseCandidate 1:! 2:!
k8s.io.api.coordination.v1beta1.LeaseCandidateSpec 1:! 4:!
k8s.io.api.coordination.v1beta1.LeaseSpec 1:? 2:? 5:? 6:? 7:?
k8s.io.api.core.v1.AWSElasticBlockStoreVolumeSource 1:!
k8s.io.api.core.v1.Affinity
k8s.io.api.core.v1.AppArmorProfile 1:! 2:?
k8s.io.api.core.v1.AttachedVolume 1:! 2:!
k8s.io.api.core.v1.AzureDiskVolumeSource 1:! 2:! 3:? 4:? 5:? 6:?
k8s.io.api.core.v1.AzureFilePersistentVolumeSource 1:! 2:! 4:n
k8s.io.api.core.v1.AzureFileVolumeSource 1:! 2:!
k8s.io.api.core.v1.Binding 1:! 2:!
k8s.io.api.core.v1.CSIPersistentVolumeSource 1:! 2:!
k8s.io.api.core.v1.CSIVolumeSource 1:! 2:? 3:?
k8s.io.api.core.v1.Capabilities
k8s.io.api.core.v1.CephFSPersistentVolumeSource 1:!
k8s.io.api.core.v1.CephFSVolumeSource 1:!
k8s.io.api.core.v1.CinderPersistentVolumeSource 1:!
k8s.io.api.core.v1.CinderVolumeSource 1:!
k8s.io.api.core.v1.ClientIPConfig 1:?
k8s.io.api.core.v1.ClusterTrustBundleProjection 1:? 2:? 5:? 4:! 6:?
k8s.io.api.core.v1.ComponentCondition 1:! 2:!
k8s.io.api.core.v1.ComponentStatus 1:!
k8s.io.api.core.v1.ConfigMap 1:! 4:?
k8s.io.api.core.v1.ConfigMapEnvSource 1:> 2:?
k8s.io.api.core.v1.ConfigMapKeySelector 1:> 2:! 3:?
k8s.io.api.core.v1.ConfigMapNodeConfigSource 1:! 2:! 5:!
k8s.io.api.core.v1.ConfigMapProjection 1:> 4:?
k8s.io.api.core.v1.ConfigMapVolumeSource 1:> 3:? 4:? 5:?
k8s.io.api.core.v1.Container 1:! 8:! 24:?
k8s.io.api.core.v1.ContainerExtendedResourceRequest 1:! 2:! 3:!
k8s.io.api.core.v1.ContainerImage 1:!
k8s.io.api.core.v1.ContainerPort 3:!
k8s.io.api.core.v1.ContainerResizePolicy 1:! 2:!
k8s.io.api.core.v1.ContainerRestartRule
k8s.io.api.core.v1.ContainerRestartRuleOnExitCodes
k8s.io.api.core.v1.ContainerState
k8s.io.api.core.v1.ContainerStateRunning 1:!
k8s.io.api.core.v1.ContainerStateTerminated 1:! 5:! 6:!
k8s.io.api.core.v1.ContainerStateWaiting
k8s.io.api.core.v1.ContainerStatus 1:! 2:! 3:! 4:! 5:! 6:! 7:! 9:? 15:?
k8s.io.api.core.v1.ContainerUser
k8s.io.api.core.v1.DaemonEndpoint 1:!
k8s.io.api.core.v1.DownwardAPIProjection
k8s.io.api.core.v1.DownwardAPIVolumeFile 1:! 4:? 5:?
k8s.io.api.core.v1.DownwardAPIVolumeSource 2:? 3:?
k8s.io.api.core.v1.EmptyDirVolumeSource 3:?
k8s.io.api.core.v1.EndpointAddress 1:! 4:?
k8s.io.api.core.v1.EndpointPort 2:! 4:?
k8s.io.api.core.v1.EndpointSubset
k8s.io.api.core.v1.Endpoints 1:!
k8s.io.api.core.v1.EnvFromSource
k8s.io.api.core.v1.EnvVar 1:!
k8s.io.api.core.v1.EnvVarSource
k8s.io.api.core.v1.EphemeralContainer 1:>
k8s.io.api.core.v1.EphemeralContainerCommon 1:! 8:! 24:?
k8s.io.api.core.v1.EphemeralVolumeSource
k8s.io.api.core.v1.Event 1:! 2:! 5:! 6:! 7:! 10:! 14:! 15:!
k8s.io.api.core.v1.EventSeries 2:!
k8s.io.api.core.v1.EventSource
k8s.io.api.core.v1.EvictionResponder 1:! 2:n
k8s.io.api.core.v1.ExecAction
k8s.io.api.core.v1.FCVolumeSource 2:?
k8s.io.api.core.v1.FileKeySelector 1:! 2:! 3:! 4:?
k8s.io.api.core.v1.FlexPersistentVolumeSource 1:!
k8s.io.api.core.v1.FlexVolumeSource 1:!
k8s.io.api.core.v1.FlockerVolumeSource
k8s.io.api.core.v1.GCEPersistentDiskVolumeSource 1:!
k8s.io.api.core.v1.GRPCAction 1:! 2:n 3:?
k8s.io.api.core.v1.GitRepoVolumeSource 1:!
k8s.io.api.core.v1.GlusterfsPersistentVolumeSource 1:! 2:! 4:?
k8s.io.api.core.v1.GlusterfsVolumeSource 1:! 2:!
k8s.io.api.core.v1.HTTPGetAction 2:! 6:?
k8s.io.api.core.v1.HTTPHeader 1:! 2:!
k8s.io.api.core.v1.HostAlias 1:!
k8s.io.api.core.v1.HostIP 1:!
k8s.io.api.core.v1.HostPathVolumeSource 1:! 2:?
k8s.io.api.core.v1.ISCSIPersistentVolumeSource 1:! 2:! 3:! 12:?
k8s.io.api.core.v1.ISCSIVolumeSource 1:! 2:! 3:! 12:?
k8s.io.api.core.v1.ImageVolumeSource
k8s.io.api.core.v1.ImageVolumeStatus
k8s.io.api.core.v1.KeyToPath 1:! 2:! 3:? 4:?
k8s.io.api.core.v1.Lifecycle 3:?
k8s.io.api.core.v1.LifecycleHandler
k8s.io.api.core.v1.LimitRange 1:! 2:!
k8s.io.api.core.v1.LimitRangeItem 1:!
k8s.io.api.core.v1.LimitRangeSpec 1:!
k8s.io.api.core.v1.LinuxContainerUser 1:! 2:!
k8s.io.api.core.v1.LoadBalancerIngress 3:?
k8s.io.api.core.v1.LoadBalancerStatus
k8s.io.api.core.v1.LocalObjectReference
k8s.io.api.core.v1.LocalVolumeSource 1:! 2:?
k8s.io.api.core.v1.ModifyVolumeStatus 2:!
k8s.io.api.core.v1.NFSVolumeSource 1:! 2:!
k8s.io.api.core.v1.Namespace 1:! 2:! 3:!
k8s.io.api.core.v1.NamespaceCondition 1:! 2:! 4:!
k8s.io.api.core.v1.NamespaceSpec
k8s.io.api.core.v1.NamespaceStatus
k8s.io.api.core.v1.Node 1:! 2:! 3:!
k8s.io.api.core.v1.NodeAddress 1:! 2:!
k8s.io.api.core.v1.NodeAffinity
k8s.io.api.core.v1.NodeAllocatableMappedResources 1:! 2:n
k8s.io.api.core.v1.NodeAllocatableOverheadResources 1:!
k8s.io.api.core.v1.NodeAllocatableResourceClaimStatus 1:!
k8s.io.api.core.v1.NodeCondition 1:! 2:! 3:! 4:!
k8s.io.api.core.v1.NodeConfigSource
k8s.io.api.core.v1.NodeConfigStatus
k8s.io.api.core.v1.NodeDaemonEndpoints 1:!
k8s.io.api.core.v1.NodeFeatures 1:?
k8s.io.api.core.v1.NodePodPreemptionPolicy
k8s.io.api.core.v1.NodeRuntimeHandler 1:!
k8s.io.api.core.v1.NodeRuntimeHandlerFeatures 1:? 2:?
k8s.io.api.core.v1.NodeSelector 1:!
k8s.io.api.core.v1.NodeSelectorRequirement 1:! 2:!
k8s.io.api.core.v1.NodeSelectorTerm
k8s.io.api.core.v1.NodeSpec
k8s.io.api.core.v1.NodeStatus 6:! 7:!
k8s.io.api.core.v1.NodeSwapStatus 1:?
k8s.io.api.core.v1.NodeSystemInfo 1:! 2:! 3:! 4:! 5:! 6:! 7:! 8:! 9:! 10:! 12:?
k8s.io.api.core.v1.ObjectFieldSelector 2:!
k8s.io.api.core.v1.ObjectReference
k8s.io.api.core.v1.PersistentVolume 1:! 2:! 3:!
k8s.io.api.core.v1.PersistentVolumeClaim 1:! 2:! 3:!
k8s.io.api.core.v1.PersistentVolumeClaimCondition 1:! 2:! 3:! 4:!
k8s.io.api.core.v1.PersistentVolumeClaimSpec 2:! 5:? 6:? 9:?
k8s.io.api.core.v1.PersistentVolumeClaimStatus 8:?
k8s.io.api.core.v1.PersistentVolumeClaimTemplate 1:! 2:!
k8s.io.api.core.v1.PersistentVolumeClaimVolumeSource 1:!
k8s.io.api.core.v1.PersistentVolumeSource
k8s.io.api.core.v1.PersistentVolumeSpec 2:> 8:? 10:?
k8s.io.api.core.v1.PersistentVolumeStatus
k8s.io.api.core.v1.PhotonPersistentDiskVolumeSource 1:!
k8s.io.api.core.v1.Pod 1:! 2:! 3:!
k8s.io.api.core.v1.PodAffinity
k8s.io.api.core.v1.PodAffinityTerm 3:!
k8s.io.api.core.v1.PodAntiAffinity
k8s.io.api.core.v1.PodCertificateProjection 3:? 8:?
k8s.io.api.core.v1.PodCondition 1:! 2:! 3:! 4:!
k8s.io.api.core.v1.PodDNSConfig
k8s.io.api.core.v1.PodDNSConfigOption 2:?
k8s.io.api.core.v1.PodExtendedResourceClaimStatus 1:! 2:!
k8s.io.api.core.v1.PodIP 1:!
k8s.io.api.core.v1.PodOS 1:!
k8s.io.api.core.v1.PodReadinessGate 1:!
k8s.io.api.core.v1.PodResourceClaim 1:! 3:? 4:?
k8s.io.api.core.v1.PodResourceClaimStatus 1:! 2:?
k8s.io.api.core.v1.PodSchedulingGate 1:!
k8s.io.api.core.v1.PodSchedulingGroup 1:?
k8s.io.api.core.v1.PodSecurityContext 2:? 6:? 3:? 12:? 5:? 9:? 13:?
k8s.io.api.core.v1.PodSpec 2:! 4:? 5:? 21:? 27:? 25:? 29:? 30:? 31:? 35:? 37:? 41:?
k8s.io.api.core.v1.PodStatus
k8s.io.api.core.v1.PodTemplate 1:! 2:!
k8s.io.api.core.v1.PodTemplateSpec 1:! 2:!
k8s.io.api.core.v1.PodVolumeHealth 1:! 3:!
k8s.io.api.core.v1.PortStatus 1:! 2:! 3:?
k8s.io.api.core.v1.PortworxVolumeSource 1:!
k8s.io.api.core.v1.PreferredSchedulingTerm 1:! 2:!
k8s.io.api.core.v1.Probe 1:> 7:?
k8s.io.api.core.v1.ProbeHandler
k8s.io.api.core.v1.ProjectedVolumeSource 1:! 2:? 3:?
k8s.io.api.core.v1.QuobyteVolumeSource 1:! 2:!
k8s.io.api.core.v1.RBDPersistentVolumeSource 1:! 2:!
k8s.io.api.core.v1.RBDVolumeSource 1:! 2:!
k8s.io.api.core.v1.RangeAllocation 1:! 2:! 3:!
k8s.io.api.core.v1.ReplicationController 1:! 2:! 3:!
k8s.io.api.core.v1.ReplicationControllerCondition 1:! 2:! 3:!
k8s.io.api.core.v1.ReplicationControllerSpec 1:?
k8s.io.api.core.v1.ReplicationControllerStatus 1:!
k8s.io.api.core.v1.ResourceClaim 1:!
k8s.io.api.core.v1.ResourceFieldSelector 2:! 3:!
k8s.io.api.core.v1.ResourceHealth 1:! 6:?
k8s.io.api.core.v1.ResourceQuota 1:! 2:! 3:!
k8s.io.api.core.v1.ResourceQuotaSpec
k8s.io.api.core.v1.ResourceQuotaStatus
k8s.io.api.core.v1.ResourceRequirements
k8s.io.api.core.v1.ResourceStatus 1:!
k8s.io.api.core.v1.SELinuxOptions
k8s.io.api.core.v1.ScaleIOPersistentVolumeSource 1:! 2:! 3:n
k8s.io.api.core.v1.ScaleIOVolumeSource 1:! 2:! 3:n
k8s.io.api.core.v1.ScopeSelector
k8s.io.api.core.v1.ScopedResourceSelectorRequirement 1:! 2:!
k8s.io.api.core.v1.SeccompProfile 1:! 2:?
k8s.io.api.core.v1.Secret 1:! 5:?
k8s.io.api.core.v1.SecretEnvSource 1:> 2:?
k8s.io.api.core.v1.SecretKeySelector 1:> 2:! 3:?
k8s.io.api.core.v1.SecretProjection 1:> 4:?
k8s.io.api.core.v1.SecretReference
k8s.io.api.core.v1.SecretVolumeSource 3:? 4:? 5:?
k8s.io.api.core.v1.SecurityContext 2:? 4:? 8:? 5:? 6:? 7:? 9:?
k8s.io.api.core.v1.Service 1:! 2:! 3:!
k8s.io.api.core.v1.ServiceAccount 1:! 4:?
k8s.io.api.core.v1.ServiceAccountTokenProjection 2:? 3:! 4:?
k8s.io.api.core.v1.ServicePort 6:? 3:! 4:!
k8s.io.api.core.v1.ServiceSpec 17:? 20:? 21:? 22:? 23:?
k8s.io.api.core.v1.ServiceStatus 1:!
k8s.io.api.core.v1.SessionAffinityConfig
k8s.io.api.core.v1.SleepAction 1:!
k8s.io.api.core.v1.StorageOSPersistentVolumeSource
k8s.io.api.core.v1.StorageOSVolumeSource
k8s.io.api.core.v1.Sysctl 1:! 2:!
k8s.io.api.core.v1.TCPSocketAction 1:!
k8s.io.api.core.v1.Taint 1:! 3:!
k8s.io.api.core.v1.Toleration 5:?
k8s.io.api.core.v1.TopologySelectorLabelRequirement 1:! 2:!
k8s.io.api.core.v1.TopologySelectorTerm
k8s.io.api.core.v1.TopologySpreadConstraint 1:! 2:! 3:! 5:? 6:? 7:?
k8s.io.api.core.v1.TypedLocalObjectReference 1:n 2:! 3:!
k8s.io.api.core.v1.TypedObjectReference 1:n 2:! 3:! 4:?
k8s.io.api.core.v1.Volume 1:! 2:>
k8s.io.api.core.v1.VolumeDevice 1:! 2:!
k8s.io.api.core.v1.VolumeHealthCondition 1:! 2:!
k8s.io.api.core.v1.VolumeHealthStatus 2:!
k8s.io.api.core.v1.VolumeMount 1:! 7:? 3:! 5:?
k8s.io.api.core.v1.VolumeMountStatus 1:! 2:! 4:?
k8s.io.api.core.v1.VolumeNodeAffinity
k8s.io.api.core.v1.VolumeProjection
k8s.io.api.core.v1.VolumeResourceRequirements
k8s.io.api.core.v1.VolumeSource
k8s.io.api.core.v1.VolumeStatus
k8s.io.api.core.v1.VsphereVirtualDiskVolumeSource 1:!
k8s.io.api.core.v1.WeightedPodAffinityTerm 1:! 2:!
k8s.io.api.core.v1.WindowsSecurityContextOptions 1:? 2:? 3:? 4:?
k8s.io.api.discovery.v1.Endpoint 1:! 2:! 3:? 6:? 7:?
k8s.io.api.discovery.v1.EndpointConditions 1:? 2:? 3:?
k8s.io.api.discovery.v1.EndpointHints
k8s.io.api.discovery.v1.EndpointPort 1:? 2:? 3:? 4:?
k8s.io.api.discovery.v1.EndpointSlice 1:! 4:! 2:! 3:!
k8s.io.api.discovery.v1.ForNode 1:!
k8s.io.api.discovery.v1.ForZone 1:!
k8s.io.api.discovery.v1beta1.Endpoint 1:! 2:! 3:? 6:?
k8s.io.api.discovery.v1beta1.EndpointConditions 1:? 2:? 3:?
k8s.io.api.discovery.v1beta1.EndpointHints
k8s.io.api.discovery.v1beta1.EndpointPort 1:? 2:? 3:? 4:?
k8s.io.api.discovery.v1beta1.EndpointSlice 1:! 4:! 2:! 3:!
k8s.io.api.discovery.v1beta1.ForNode 1:!
k8s.io.api.discovery.v1beta1.ForZone 1:!
k8s.io.api.events.v1.Event 1:! 2:! 8:! 12:! 13:! 14:!
k8s.io.api.events.v1.EventSeries 1:! 2:!
k8s.io.api.events.v1beta1.Event 1:! 2:! 8:! 12:! 13:! 14:!
k8s.io.api.events.v1beta1.EventSeries 1:! 2:!
k8s.io.api.extensions.v1beta1.DaemonSet 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.DaemonSetCondition 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.DaemonSetSpec 2:! 3:! 6:?
k8s.io.api.extensions.v1beta1.DaemonSetStatus 1:! 2:! 3:! 4:! 9:?
k8s.io.api.extensions.v1beta1.DaemonSetUpdateStrategy
k8s.io.api.extensions.v1beta1.Deployment 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.DeploymentCondition 1:! 2:! 6:! 7:!
k8s.io.api.extensions.v1beta1.DeploymentSpec 1:? 3:! 4:! 6:? 9:?
k8s.io.api.extensions.v1beta1.DeploymentStatus 9:? 8:?
k8s.io.api.extensions.v1beta1.DeploymentStrategy
k8s.io.api.extensions.v1beta1.HTTPIngressPath 3:? 2:!
k8s.io.api.extensions.v1beta1.HTTPIngressRuleValue 1:!
k8s.io.api.extensions.v1beta1.IPBlock 1:!
k8s.io.api.extensions.v1beta1.Ingress 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.IngressBackend 2:!
k8s.io.api.extensions.v1beta1.IngressLoadBalancerIngress
k8s.io.api.extensions.v1beta1.IngressLoadBalancerStatus
k8s.io.api.extensions.v1beta1.IngressPortStatus 1:! 2:! 3:?
k8s.io.api.extensions.v1beta1.IngressRule 2:>
k8s.io.api.extensions.v1beta1.IngressRuleValue
k8s.io.api.extensions.v1beta1.IngressSpec 4:?
k8s.io.api.extensions.v1beta1.IngressStatus 1:!
k8s.io.api.extensions.v1beta1.IngressTLS
k8s.io.api.extensions.v1beta1.NetworkPolicy 1:! 2:!
k8s.io.api.extensions.v1beta1.NetworkPolicyEgressRule
k8s.io.api.extensions.v1beta1.NetworkPolicyIngressRule
k8s.io.api.extensions.v1beta1.NetworkPolicyPeer
k8s.io.api.extensions.v1beta1.NetworkPolicyPort 1:? 3:?
k8s.io.api.extensions.v1beta1.NetworkPolicySpec 1:!
k8s.io.api.extensions.v1beta1.ReplicaSet 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.ReplicaSetCondition 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.ReplicaSetSpec 1:? 3:!
k8s.io.api.extensions.v1beta1.ReplicaSetStatus 1:! 7:?
k8s.io.api.extensions.v1beta1.RollbackConfig
k8s.io.api.extensions.v1beta1.RollingUpdateDaemonSet
k8s.io.api.extensions.v1beta1.RollingUpdateDeployment
k8s.io.api.extensions.v1beta1.Scale 1:! 2:! 3:!
k8s.io.api.extensions.v1beta1.ScaleSpec
k8s.io.api.extensions.v1beta1.ScaleStatus 1:!
k8s.io.api.flowcontrol.v1.ExemptPriorityLevelConfiguration 1:? 2:?
k8s.io.api.flowcontrol.v1.FlowDistinguisherMethod 1:!
k8s.io.api.flowcontrol.v1.FlowSchema 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1.FlowSchemaCondition 3:!
k8s.io.api.flowcontrol.v1.FlowSchemaSpec 1:! 2:!
k8s.io.api.flowcontrol.v1.FlowSchemaStatus
k8s.io.api.flowcontrol.v1.GroupSubject 1:!
k8s.io.api.flowcontrol.v1.LimitResponse 1:!
k8s.io.api.flowcontrol.v1.LimitedPriorityLevelConfiguration 1:n 2:! 3:? 4:?
k8s.io.api.flowcontrol.v1.NonResourcePolicyRule 1:! 6:!
k8s.io.api.flowcontrol.v1.PolicyRulesWithSubjects 1:!
k8s.io.api.flowcontrol.v1.PriorityLevelConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1.PriorityLevelConfigurationCondition 3:!
k8s.io.api.flowcontrol.v1.PriorityLevelConfigurationReference 1:!
k8s.io.api.flowcontrol.v1.PriorityLevelConfigurationSpec 1:!
k8s.io.api.flowcontrol.v1.PriorityLevelConfigurationStatus
k8s.io.api.flowcontrol.v1.QueuingConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1.ResourcePolicyRule 1:! 2:! 3:! 5:!
k8s.io.api.flowcontrol.v1.ServiceAccountSubject 1:! 2:!
k8s.io.api.flowcontrol.v1.Subject 1:!
k8s.io.api.flowcontrol.v1.UserSubject 1:!
k8s.io.api.flowcontrol.v1beta1.ExemptPriorityLevelConfiguration 1:? 2:?
k8s.io.api.flowcontrol.v1beta1.FlowDistinguisherMethod 1:!
k8s.io.api.flowcontrol.v1beta1.FlowSchema 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta1.FlowSchemaCondition 3:!
k8s.io.api.flowcontrol.v1beta1.FlowSchemaSpec 1:! 2:!
k8s.io.api.flowcontrol.v1beta1.FlowSchemaStatus
k8s.io.api.flowcontrol.v1beta1.GroupSubject 1:!
k8s.io.api.flowcontrol.v1beta1.LimitResponse 1:!
k8s.io.api.flowcontrol.v1beta1.LimitedPriorityLevelConfiguration 1:! 2:! 3:? 4:?
k8s.io.api.flowcontrol.v1beta1.NonResourcePolicyRule 1:! 6:!
k8s.io.api.flowcontrol.v1beta1.PolicyRulesWithSubjects 1:!
k8s.io.api.flowcontrol.v1beta1.PriorityLevelConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta1.PriorityLevelConfigurationCondition 3:!
k8s.io.api.flowcontrol.v1beta1.PriorityLevelConfigurationReference 1:!
k8s.io.api.flowcontrol.v1beta1.PriorityLevelConfigurationSpec 1:!
k8s.io.api.flowcontrol.v1beta1.PriorityLevelConfigurationStatus
k8s.io.api.flowcontrol.v1beta1.QueuingConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta1.ResourcePolicyRule 1:! 2:! 3:! 5:!
k8s.io.api.flowcontrol.v1beta1.ServiceAccountSubject 1:! 2:!
k8s.io.api.flowcontrol.v1beta1.Subject 1:!
k8s.io.api.flowcontrol.v1beta1.UserSubject 1:!
k8s.io.api.flowcontrol.v1beta2.ExemptPriorityLevelConfiguration 1:? 2:?
k8s.io.api.flowcontrol.v1beta2.FlowDistinguisherMethod 1:!
k8s.io.api.flowcontrol.v1beta2.FlowSchema 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta2.FlowSchemaCondition 3:!
k8s.io.api.flowcontrol.v1beta2.FlowSchemaSpec 1:! 2:!
k8s.io.api.flowcontrol.v1beta2.FlowSchemaStatus
k8s.io.api.flowcontrol.v1beta2.GroupSubject 1:!
k8s.io.api.flowcontrol.v1beta2.LimitResponse 1:!
k8s.io.api.flowcontrol.v1beta2.LimitedPriorityLevelConfiguration 1:! 2:! 3:? 4:?
k8s.io.api.flowcontrol.v1beta2.NonResourcePolicyRule 1:! 6:!
k8s.io.api.flowcontrol.v1beta2.PolicyRulesWithSubjects 1:!
k8s.io.api.flowcontrol.v1beta2.PriorityLevelConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta2.PriorityLevelConfigurationCondition 3:!
k8s.io.api.flowcontrol.v1beta2.PriorityLevelConfigurationReference 1:!
k8s.io.api.flowcontrol.v1beta2.PriorityLevelConfigurationSpec 1:!
k8s.io.api.flowcontrol.v1beta2.PriorityLevelConfigurationStatus
k8s.io.api.flowcontrol.v1beta2.QueuingConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta2.ResourcePolicyRule 1:! 2:! 3:! 5:!
k8s.io.api.flowcontrol.v1beta2.ServiceAccountSubject 1:! 2:!
k8s.io.api.flowcontrol.v1beta2.Subject 1:!
k8s.io.api.flowcontrol.v1beta2.UserSubject 1:!
k8s.io.api.flowcontrol.v1beta3.ExemptPriorityLevelConfiguration 1:? 2:?
k8s.io.api.flowcontrol.v1beta3.FlowDistinguisherMethod 1:!
k8s.io.api.flowcontrol.v1beta3.FlowSchema 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta3.FlowSchemaCondition 3:!
k8s.io.api.flowcontrol.v1beta3.FlowSchemaSpec 1:! 2:!
k8s.io.api.flowcontrol.v1beta3.FlowSchemaStatus
k8s.io.api.flowcontrol.v1beta3.GroupSubject 1:!
k8s.io.api.flowcontrol.v1beta3.LimitResponse 1:!
k8s.io.api.flowcontrol.v1beta3.LimitedPriorityLevelConfiguration 1:! 2:! 3:? 4:?
k8s.io.api.flowcontrol.v1beta3.NonResourcePolicyRule 1:! 6:!
k8s.io.api.flowcontrol.v1beta3.PolicyRulesWithSubjects 1:!
k8s.io.api.flowcontrol.v1beta3.PriorityLevelConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta3.PriorityLevelConfigurationCondition 3:!
k8s.io.api.flowcontrol.v1beta3.PriorityLevelConfigurationReference 1:!
k8s.io.api.flowcontrol.v1beta3.PriorityLevelConfigurationSpec 1:!
k8s.io.api.flowcontrol.v1beta3.PriorityLevelConfigurationStatus
k8s.io.api.flowcontrol.v1beta3.QueuingConfiguration 1:! 2:! 3:!
k8s.io.api.flowcontrol.v1beta3.ResourcePolicyRule 1:! 2:! 3:! 5:!
k8s.io.api.flowcontrol.v1beta3.ServiceAccountSubject 1:! 2:!
k8s.io.api.flowcontrol.v1beta3.Subject 1:!
k8s.io.api.flowcontrol.v1beta3.UserSubject 1:!
k8s.io.api.imagepolicy.v1alpha1.ImageReview 1:! 2:! 3:!
k8s.io.api.imagepolicy.v1alpha1.ImageReviewContainerSpec
k8s.io.api.imagepolicy.v1alpha1.ImageReviewSpec
k8s.io.api.imagepolicy.v1alpha1.ImageReviewStatus 1:!
k8s.io.api.lifecycle.v1alpha1.Eviction 1:! 2:! 3:!
k8s.io.api.lifecycle.v1alpha1.EvictionPodReference 1:! 2:!
k8s.io.api.lifecycle.v1alpha1.EvictionRequest 1:! 2:! 3:!
k8s.io.api.lifecycle.v1alpha1.EvictionRequestPodReference 1:! 2:!
k8s.io.api.lifecycle.v1alpha1.EvictionRequestSpec 1:! 2:! 3:!
k8s.io.api.lifecycle.v1alpha1.EvictionRequestStatus 2:?
k8s.io.api.lifecycle.v1alpha1.EvictionRequestTarget
k8s.io.api.lifecycle.v1alpha1.EvictionSpec 1:!
k8s.io.api.lifecycle.v1alpha1.EvictionStatus 2:?
k8s.io.api.lifecycle.v1alpha1.EvictionTarget
k8s.io.api.lifecycle.v1alpha1.Requester 1:! 2:!
k8s.io.api.lifecycle.v1alpha1.ResponderStatus 1:! 6:?
k8s.io.api.lifecycle.v1alpha1.TargetResponder 1:! 2:n 3:!
k8s.io.api.networking.v1.HTTPIngressPath 3:n 2:!
k8s.io.api.networking.v1.HTTPIngressRuleValue 1:!
k8s.io.api.networking.v1.IPAddress 1:! 2:!
k8s.io.api.networking.v1.IPAddressSpec
k8s.io.api.networking.v1.IPBlock 1:!
k8s.io.api.networking.v1.Ingress 1:! 2:! 3:!
k8s.io.api.networking.v1.IngressBackend
k8s.io.api.networking.v1.IngressClass 1:! 2:!
k8s.io.api.networking.v1.IngressClassParametersReference 1:?=apiGroup 2:! 3:! 4:n 5:?
k8s.io.api.networking.v1.IngressClassSpec
k8s.io.api.networking.v1.IngressLoadBalancerIngress
k8s.io.api.networking.v1.IngressLoadBalancerStatus
k8s.io.api.networking.v1.IngressPortStatus 1:! 2:! 3:?
k8s.io.api.networking.v1.IngressRule 2:>
k8s.io.api.networking.v1.IngressRuleValue
k8s.io.api.networking.v1.IngressServiceBackend 1:! 2:!
k8s.io.api.networking.v1.IngressSpec 4:?
k8s.io.api.networking.v1.IngressStatus 1:!
k8s.io.api.networking.v1.IngressTLS
k8s.io.api.networking.v1.NetworkPolicy 1:! 2:!
k8s.io.api.networking.v1.NetworkPolicyEgressRule
k8s.io.api.networking.v1.NetworkPolicyIngressRule
k8s.io.api.networking.v1.NetworkPolicyPeer
k8s.io.api.networking.v1.NetworkPolicyPort 1:? 3:?
k8s.io.api.networking.v1.NetworkPolicySpec 1:!
k8s.io.api.networking.v1.ParentReference
k8s.io.api.networking.v1.ServiceBackendPort
k8s.io.api.networking.v1.ServiceCIDR 1:! 2:! 3:!
k8s.io.api.networking.v1.ServiceCIDRSpec
k8s.io.api.networking.v1.ServiceCIDRStatus
k8s.io.api.networking.v1beta1.HTTPIngressPath 3:? 2:!
k8s.io.api.networking.v1beta1.HTTPIngressRuleValue 1:!
k8s.io.api.networking.v1beta1.IPAddress 1:! 2:!
k8s.io.api.networking.v1beta1.IPAddressSpec
k8s.io.api.networking.v1beta1.Ingress 1:! 2:! 3:!
k8s.io.api.networking.v1beta1.IngressBackend 2:!
k8s.io.api.networking.v1beta1.IngressClass 1:! 2:!
k8s.io.api.networking.v1beta1.IngressClassParametersReference 1:?=apiGroup 2:! 3:! 4:n 5:?
k8s.io.api.networking.v1beta1.IngressClassSpec
k8s.io.api.networking.v1beta1.IngressLoadBalancerIngress
k8s.io.api.networking.v1beta1.IngressLoadBalancerStatus
k8s.io.api.networking.v1beta1.IngressPortStatus 1:! 2:! 3:?
k8s.io.api.networking.v1beta1.IngressRule 2:>
k8s.io.api.networking.v1beta1.IngressRuleValue
k8s.io.api.networking.v1beta1.IngressSpec 4:?
k8s.io.api.networking.v1beta1.IngressStatus 1:!
k8s.io.api.networking.v1beta1.IngressTLS
k8s.io.api.networking.v1beta1.ParentReference
k8s.io.api.networking.v1beta1.ServiceCIDR 1:! 2:! 3:!
k8s.io.api.networking.v1beta1.ServiceCIDRSpec
k8s.io.api.networking.v1beta1.ServiceCIDRStatus
k8s.io.api.node.v1.Overhead
k8s.io.api.node.v1.RuntimeClass 1:! 2:!
k8s.io.api.node.v1.Scheduling
k8s.io.api.node.v1alpha1.Overhead
k8s.io.api.node.v1alpha1.RuntimeClass 1:! 2:!
k8s.io.api.node.v1alpha1.RuntimeClassSpec 1:!
k8s.io.api.node.v1alpha1.Scheduling
k8s.io.api.node.v1beta1.Overhead
k8s.io.api.node.v1beta1.RuntimeClass 1:! 2:!
k8s.io.api.node.v1beta1.Scheduling
k8s.io.api.policy.v1.Eviction 1:!
k8s.io.api.policy.v1.PodDisruptionBudget 1:! 2:! 3:!
k8s.io.api.policy.v1.PodDisruptionBudgetSpec 4:?
k8s.io.api.policy.v1.PodDisruptionBudgetStatus 3:! 4:! 5:! 6:!
k8s.io.api.policy.v1beta1.Eviction 1:!
k8s.io.api.policy.v1beta1.PodDisruptionBudget 1:! 2:! 3:!
k8s.io.api.policy.v1beta1.PodDisruptionBudgetSpec 4:?
k8s.io.api.policy.v1beta1.PodDisruptionBudgetStatus 3:! 4:! 5:! 6:!
k8s.io.api.rbac.v1.AggregationRule
k8s.io.api.rbac.v1.ClusterRole 1:! 2:!
k8s.io.api.rbac.v1.ClusterRoleBinding 1:! 3:!
k8s.io.api.rbac.v1.PolicyRule 1:!
k8s.io.api.rbac.v1.Role 1:! 2:!
k8s.io.api.rbac.v1.RoleBinding 1:! 3:!
k8s.io.api.rbac.v1.RoleRef 1:! 2:! 3:!
k8s.io.api.rbac.v1.Subject 1:! 3:!
k8s.io.api.rbac.v1alpha1.AggregationRule
k8s.io.api.rbac.v1alpha1.ClusterRole 1:! 2:!
k8s.io.api.rbac.v1alpha1.ClusterRoleBinding 1:! 3:!
k8s.io.api.rbac.v1alpha1.PolicyRule 1:!
k8s.io.api.rbac.v1alpha1.Role 1:! 2:!
k8s.io.api.rbac.v1alpha1.RoleBinding 1:! 3:!
k8s.io.api.rbac.v1alpha1.RoleRef 1:! 2:! 3:!
k8s.io.api.rbac.v1alpha1.Subject 1:! 3:!
k8s.io.api.rbac.v1beta1.AggregationRule
k8s.io.api.rbac.v1beta1.ClusterRole 1:! 2:!
k8s.io.api.rbac.v1beta1.ClusterRoleBinding 1:! 3:!
k8s.io.api.rbac.v1beta1.PolicyRule 1:!
k8s.io.api.rbac.v1beta1.Role 1:! 2:!
k8s.io.api.rbac.v1beta1.RoleBinding 1:! 3:!
k8s.io.api.rbac.v1beta1.RoleRef 1:! 2:! 3:!
k8s.io.api.rbac.v1beta1.Subject 1:! 3:!
k8s.io.api.resource.v1.AllocatedDeviceStatus 1:! 2:! 3:! 7:? 4:!
k8s.io.api.resource.v1.AllocationResult 1:!
k8s.io.api.resource.v1.CELDeviceSelector 1:!
k8s.io.api.resource.v1.CapacityRequestPolicy 1:n
k8s.io.api.resource.v1.CapacityRequestPolicyRange
k8s.io.api.resource.v1.CapacityRequirements
k8s.io.api.resource.v1.Counter 1:!
k8s.io.api.resource.v1.CounterSet 1:!
k8s.io.api.resource.v1.Device 1:! 5:? 7:? 9:? 12:?
k8s.io.api.resource.v1.DeviceAllocationConfiguration 1:! 3:>
k8s.io.api.resource.v1.DeviceAllocationResult
k8s.io.api.resource.v1.DeviceAttribute 2:? 3:? 4:? 5:?
k8s.io.api.resource.v1.DeviceCapacity 1:!
k8s.io.api.resource.v1.DeviceClaim 1:!
k8s.io.api.resource.v1.DeviceClaimConfiguration 2:>
k8s.io.api.resource.v1.DeviceClass 1:! 2:!
k8s.io.api.resource.v1.DeviceClassConfiguration 1:>
k8s.io.api.resource.v1.DeviceClassSpec 4:?
k8s.io.api.resource.v1.DeviceConfiguration
k8s.io.api.resource.v1.DeviceConstraint 2:? 3:?
k8s.io.api.resource.v1.DeviceCounterConsumption 1:!
k8s.io.api.resource.v1.DeviceDerivedAttribute 1:! 2:!
k8s.io.api.resource.v1.DeviceRequest 1:!
k8s.io.api.resource.v1.DeviceRequestAllocationResult 1:! 2:! 3:! 4:! 5:? 9:?
k8s.io.api.resource.v1.DeviceSelector
k8s.io.api.resource.v1.DeviceSubRequest 1:! 2:!
k8s.io.api.resource.v1.DeviceTaint 1:! 3:!
k8s.io.api.resource.v1.DeviceTaintRule 1:! 2:! 3:!
k8s.io.api.resource.v1.DeviceTaintRuleSpec 2:!
k8s.io.api.resource.v1.DeviceTaintRuleStatus
k8s.io.api.resource.v1.DeviceTaintSelector 2:? 3:? 4:?
k8s.io.api.resource.v1.DeviceToleration 5:?
k8s.io.api.resource.v1.ExactDeviceRequest 1:! 5:?
k8s.io.api.resource.v1.NetworkDeviceData
k8s.io.api.resource.v1.NodeAllocatableMapping 1:?
k8s.io.api.resource.v1.NodeAllocatableOverhead
k8s.io.api.resource.v1.NodeAllocatableResource
k8s.io.api.resource.v1.OpaqueDeviceConfiguration 1:! 2:!
k8s.io.api.resource.v1.ResourceClaim 1:! 2:! 3:!
k8s.io.api.resource.v1.ResourceClaimConsumerReference 3:! 4:! 5:!
k8s.io.api.resource.v1.ResourceClaimSpec 1:!
k8s.io.api.resource.v1.ResourceClaimStatus
k8s.io.api.resource.v1.ResourceClaimTemplate 1:! 2:!
k8s.io.api.resource.v1.ResourceClaimTemplateSpec 1:! 2:!
k8s.io.api.resource.v1.ResourcePool 1:! 2:! 3:!
k8s.io.api.resource.v1.ResourceSlice 1:! 2:!
k8s.io.api.resource.v1.ResourceSliceSpec 1:! 2:! 3:? 5:? 7:? 9:?
k8s.io.api.resource.v1alpha3.DeviceTaint 1:! 3:!
k8s.io.api.resource.v1alpha3.DeviceTaintRule 1:! 2:! 3:!
k8s.io.api.resource.v1alpha3.DeviceTaintRuleSpec 2:!
k8s.io.api.resource.v1alpha3.DeviceTaintRuleStatus
k8s.io.api.resource.v1alpha3.DeviceTaintSelector 2:? 3:? 4:?
k8s.io.api.resource.v1alpha3.PartitionTypeStatus 2:? 3:?
k8s.io.api.resource.v1alpha3.PoolStatus 9:! 8:? 4:? 5:? 6:? 7:? 3:? 10:?
k8s.io.api.resource.v1alpha3.ResourcePoolStatusRequest 1:! 2:!
k8s.io.api.resource.v1alpha3.ResourcePoolStatusRequestSpec 1:! 2:? 3:? 4:?
k8s.io.api.resource.v1alpha3.ResourcePoolStatusRequestStatus 6:?
k8s.io.api.resource.v1alpha3.ShareableCapacityStatus
k8s.io.api.resource.v1alpha3.ShareableSummaryStatus 1:? 2:?
k8s.io.api.resource.v1beta1.AllocatedDeviceStatus 1:! 2:! 3:! 7:? 4:!
k8s.io.api.resource.v1beta1.AllocationResult 1:!
k8s.io.api.resource.v1beta1.BasicDevice 4:? 6:? 8:? 11:?
k8s.io.api.resource.v1beta1.CELDeviceSelector 1:!
k8s.io.api.resource.v1beta1.CapacityRequestPolicy 1:n
k8s.io.api.resource.v1beta1.CapacityRequestPolicyRange
k8s.io.api.resource.v1beta1.CapacityRequirements
k8s.io.api.resource.v1beta1.Counter 1:!
k8s.io.api.resource.v1beta1.CounterSet 1:!
k8s.io.api.resource.v1beta1.Device 1:!
k8s.io.api.resource.v1beta1.DeviceAllocationConfiguration 1:! 3:>
k8s.io.api.resource.v1beta1.DeviceAllocationResult
k8s.io.api.resource.v1beta1.DeviceAttribute 2:? 3:? 4:? 5:?
k8s.io.api.resource.v1beta1.DeviceCapacity 1:!
k8s.io.api.resource.v1beta1.DeviceClaim 1:!
k8s.io.api.resource.v1beta1.DeviceClaimConfiguration 2:>
k8s.io.api.resource.v1beta1.DeviceClass 1:! 2:!
k8s.io.api.resource.v1beta1.DeviceClassConfiguration 1:>
k8s.io.api.resource.v1beta1.DeviceClassSpec 4:?
k8s.io.api.resource.v1beta1.DeviceConfiguration
k8s.io.api.resource.v1beta1.DeviceConstraint 2:? 3:?
k8s.io.api.resource.v1beta1.DeviceCounterConsumption 1:!
k8s.io.api.resource.v1beta1.DeviceDerivedAttribute 1:! 2:!
k8s.io.api.resource.v1beta1.DeviceRequest 1:! 2:! 6:?
k8s.io.api.resource.v1beta1.DeviceRequestAllocationResult 1:! 2:! 3:! 4:! 5:? 9:?
k8s.io.api.resource.v1beta1.DeviceSelector
k8s.io.api.resource.v1beta1.DeviceSubRequest 1:! 2:!
k8s.io.api.resource.v1beta1.DeviceTaint 1:! 3:!
k8s.io.api.resource.v1beta1.DeviceToleration 5:?
k8s.io.api.resource.v1beta1.NetworkDeviceData
k8s.io.api.resource.v1beta1.NodeAllocatableMapping 1:?
k8s.io.api.resource.v1beta1.NodeAllocatableOverhead
k8s.io.api.resource.v1beta1.NodeAllocatableResource
k8s.io.api.resource.v1beta1.OpaqueDeviceConfiguration 1:! 2:!
k8s.io.api.resource.v1beta1.ResourceClaim 1:! 2:! 3:!
k8s.io.api.resource.v1beta1.ResourceClaimConsumerReference 3:! 4:! 5:!
k8s.io.api.resource.v1beta1.ResourceClaimSpec 1:!
k8s.io.api.resource.v1beta1.ResourceClaimStatus
k8s.io.api.resource.v1beta1.ResourceClaimTemplate 1:! 2:!
k8s.io.api.resource.v1beta1.ResourceClaimTemplateSpec 1:! 2:!
k8s.io.api.resource.v1beta1.ResourcePool 1:! 2:! 3:!
k8s.io.api.resource.v1beta1.ResourceSlice 1:! 2:!
k8s.io.api.resource.v1beta1.ResourceSliceSpec 1:! 2:! 7:? 9:?
k8s.io.api.resource.v1beta2.AllocatedDeviceStatus 1:! 2:! 3:! 7:? 4:!
k8s.io.api.resource.v1beta2.AllocationResult 1:!
k8s.io.api.resource.v1beta2.CELDeviceSelector 1:!
k8s.io.api.resource.v1beta2.CapacityRequestPolicy 1:n
k8s.io.api.resource.v1beta2.CapacityRequestPolicyRange
k8s.io.api.resource.v1beta2.CapacityRequirements
k8s.io.api.resource.v1beta2.Counter 1:!
k8s.io.api.resource.v1beta2.CounterSet 1:!
k8s.io.api.resource.v1beta2.Device 1:! 5:? 7:? 9:? 12:?
k8s.io.api.resource.v1beta2.DeviceAllocationConfiguration 1:! 3:>
k8s.io.api.resource.v1beta2.DeviceAllocationResult
k8s.io.api.resource.v1beta2.DeviceAttribute 2:? 3:? 4:? 5:?
k8s.io.api.resource.v1beta2.DeviceCapacity 1:!
k8s.io.api.resource.v1beta2.DeviceClaim 1:!
k8s.io.api.resource.v1beta2.DeviceClaimConfiguration 2:>
k8s.io.api.resource.v1beta2.DeviceClass 1:! 2:!
k8s.io.api.resource.v1beta2.DeviceClassConfiguration 1:>
k8s.io.api.resource.v1beta2.DeviceClassSpec 4:?
k8s.io.api.resource.v1beta2.DeviceConfiguration
k8s.io.api.resource.v1beta2.DeviceConstraint 2:? 3:?
k8s.io.api.resource.v1beta2.DeviceCounterConsumption 1:!
k8s.io.api.resource.v1beta2.DeviceDerivedAttribute 1:! 2:!
k8s.io.api.resource.v1beta2.DeviceRequest 1:!
k8s.io.api.resource.v1beta2.DeviceRequestAllocationResult 1:! 2:! 3:! 4:! 5:? 9:?
k8s.io.api.resource.v1beta2.DeviceSelector
k8s.io.api.resource.v1beta2.DeviceSubRequest 1:! 2:!
k8s.io.api.resource.v1beta2.DeviceTaint 1:! 3:!
k8s.io.api.resource.v1beta2.DeviceTaintRule 1:! 2:! 3:!
k8s.io.api.resource.v1beta2.DeviceTaintRuleSpec 2:!
k8s.io.api.resource.v1beta2.DeviceTaintRuleStatus
k8s.io.api.resource.v1beta2.DeviceTaintSelector 2:? 3:? 4:?
k8s.io.api.resource.v1beta2.DeviceToleration 5:?
k8s.io.api.resource.v1beta2.ExactDeviceRequest 1:! 5:?
k8s.io.api.resource.v1beta2.NetworkDeviceData
k8s.io.api.resource.v1beta2.NodeAllocatableMapping 1:?
k8s.io.api.resource.v1beta2.NodeAllocatableOverhead
k8s.io.api.resource.v1beta2.NodeAllocatableResource
k8s.io.api.resource.v1beta2.OpaqueDeviceConfiguration 1:! 2:!
k8s.io.api.resource.v1beta2.ResourceClaim 1:! 2:! 3:!
k8s.io.api.resource.v1beta2.ResourceClaimConsumerReference 3:! 4:! 5:!
k8s.io.api.resource.v1beta2.ResourceClaimSpec 1:!
k8s.io.api.resource.v1beta2.ResourceClaimStatus
k8s.io.api.resource.v1beta2.ResourceClaimTemplate 1:! 2:!
k8s.io.api.resource.v1beta2.ResourceClaimTemplateSpec 1:! 2:!
k8s.io.api.resource.v1beta2.ResourcePool 1:! 2:! 3:!
k8s.io.api.resource.v1beta2.ResourceSlice 1:! 2:!
k8s.io.api.resource.v1beta2.ResourceSliceSpec 1:! 2:! 3:? 5:? 7:? 9:?
k8s.io.api.scheduling.v1.PriorityClass 1:! 2:! 5:?
k8s.io.api.scheduling.v1alpha3.AllCompositeDisruptionMode
k8s.io.api.scheduling.v1alpha3.AllDisruptionMode
k8s.io.api.scheduling.v1alpha3.BasicSchedulingPolicy
k8s.io.api.scheduling.v1alpha3.CompositeBasicSchedulingPolicy
k8s.io.api.scheduling.v1alpha3.CompositeDisruptionMode
k8s.io.api.scheduling.v1alpha3.CompositeGangSchedulingPolicy 1:!
k8s.io.api.scheduling.v1alpha3.CompositePodGroup 1:! 2:! 3:!
k8s.io.api.scheduling.v1alpha3.CompositePodGroupSchedulingConstraints
k8s.io.api.scheduling.v1alpha3.CompositePodGroupSchedulingPolicy
k8s.io.api.scheduling.v1alpha3.CompositePodGroupSpec 1:? 2:n 3:! 7:? 8:?
k8s.io.api.scheduling.v1alpha3.CompositePodGroupStatus
k8s.io.api.scheduling.v1alpha3.CompositePodGroupTemplate 1:! 2:! 6:? 7:?
k8s.io.api.scheduling.v1alpha3.DisruptionMode
k8s.io.api.scheduling.v1alpha3.GangSchedulingPolicy 1:!
k8s.io.api.scheduling.v1alpha3.PodGroup 1:! 2:! 3:!
k8s.io.api.scheduling.v1alpha3.PodGroupResourceClaim 1:! 2:? 3:?
k8s.io.api.scheduling.v1alpha3.PodGroupResourceClaimStatus 1:! 2:?
k8s.io.api.scheduling.v1alpha3.PodGroupSchedulingConstraints
k8s.io.api.scheduling.v1alpha3.PodGroupSchedulingPolicy
k8s.io.api.scheduling.v1alpha3.PodGroupSpec 1:? 3:! 8:? 9:?
k8s.io.api.scheduling.v1alpha3.PodGroupStatus
k8s.io.api.scheduling.v1alpha3.PodGroupTemplate 1:! 2:! 3:n 7:? 8:?
k8s.io.api.scheduling.v1alpha3.SingleCompositeDisruptionMode
k8s.io.api.scheduling.v1alpha3.SingleDisruptionMode
k8s.io.api.scheduling.v1alpha3.TopologyConstraint 1:!
k8s.io.api.scheduling.v1alpha3.TypedLocalObjectReference 2:! 3:!
k8s.io.api.scheduling.v1alpha3.Workload 1:! 2:!
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupDisruptionMode
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy 1:?
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupResourceClaim 1:! 2:? 3:?
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy
k8s.io.api.scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode
k8s.io.api.scheduling.v1alpha3.WorkloadReference 1:! 2:!
k8s.io.api.scheduling.v1alpha3.WorkloadSpec 2:!
k8s.io.api.scheduling.v1beta1.AllCompositeDisruptionMode
k8s.io.api.scheduling.v1beta1.AllDisruptionMode
k8s.io.api.scheduling.v1beta1.BasicSchedulingPolicy
k8s.io.api.scheduling.v1beta1.CompositeBasicSchedulingPolicy
k8s.io.api.scheduling.v1beta1.CompositeDisruptionMode
k8s.io.api.scheduling.v1beta1.CompositeGangSchedulingPolicy 1:!
k8s.io.api.scheduling.v1beta1.CompositePodGroupSchedulingConstraints
k8s.io.api.scheduling.v1beta1.CompositePodGroupSchedulingPolicy
k8s.io.api.scheduling.v1beta1.CompositePodGroupTemplate 1:! 2:! 6:? 7:?
k8s.io.api.scheduling.v1beta1.DisruptionMode
k8s.io.api.scheduling.v1beta1.GangSchedulingPolicy 1:!
k8s.io.api.scheduling.v1beta1.PodGroup 1:! 2:! 3:!
k8s.io.api.scheduling.v1beta1.PodGroupResourceClaim 1:! 2:? 3:?
k8s.io.api.scheduling.v1beta1.PodGroupResourceClaimStatus 1:! 2:?
k8s.io.api.scheduling.v1beta1.PodGroupSchedulingConstraints
k8s.io.api.scheduling.v1beta1.PodGroupSchedulingPolicy
k8s.io.api.scheduling.v1beta1.PodGroupSpec 1:? 3:! 8:? 9:?
k8s.io.api.scheduling.v1beta1.PodGroupStatus
k8s.io.api.scheduling.v1beta1.PodGroupTemplate 1:! 2:! 3:n 7:? 8:?
k8s.io.api.scheduling.v1beta1.PriorityClass 1:! 2:! 5:?
k8s.io.api.scheduling.v1beta1.SingleCompositeDisruptionMode
k8s.io.api.scheduling.v1beta1.SingleDisruptionMode
k8s.io.api.scheduling.v1beta1.TopologyConstraint 1:!
k8s.io.api.scheduling.v1beta1.TypedLocalObjectReference 2:! 3:!
k8s.io.api.scheduling.v1beta1.Workload 1:! 2:!
k8s.io.api.scheduling.v1beta1.WorkloadReference 1:! 2:!
k8s.io.api.scheduling.v1beta1.WorkloadSpec 2:!
k8s.io.api.storage.v1.CSIDriver 1:! 2:!
k8s.io.api.storage.v1.CSIDriverSpec 1:? 2:? 4:? 5:? 7:? 8:? 9:? 10:? 11:?
k8s.io.api.storage.v1.CSINode 1:! 2:! 3:!
k8s.io.api.storage.v1.CSINodeDriver 1:! 2:! 3:!
k8s.io.api.storage.v1.CSINodeSpec 1:!
k8s.io.api.storage.v1.CSINodeStatus
k8s.io.api.storage.v1.CSIStorageCapacity 1:! 3:!
k8s.io.api.storage.v1.StorageClass 1:! 2:! 4:? 6:? 7:?
k8s.io.api.storage.v1.StorageHealth 1:!
k8s.io.api.storage.v1.StorageHealthCondition 1:! 2:! 4:? 5:? 6:!
k8s.io.api.storage.v1.TokenRequest 1:! 2:?
k8s.io.api.storage.v1.VolumeAttachment 1:! 2:! 3:!
k8s.io.api.storage.v1.VolumeAttachmentSource 1:?
k8s.io.api.storage.v1.VolumeAttachmentSpec 1:! 2:! 3:!
k8s.io.api.storage.v1.VolumeAttachmentStatus 1:!
k8s.io.api.storage.v1.VolumeAttributesClass 1:! 2:!
k8s.io.api.storage.v1.VolumeError 1:! 3:?
k8s.io.api.storage.v1.VolumeNodeResources 1:?
k8s.io.api.storage.v1alpha1.CSIStorageCapacity 1:! 3:!
k8s.io.api.storage.v1alpha1.VolumeAttachment 1:! 2:! 3:!
k8s.io.api.storage.v1alpha1.VolumeAttachmentSource 1:?
k8s.io.api.storage.v1alpha1.VolumeAttachmentSpec 1:! 2:! 3:!
k8s.io.api.storage.v1alpha1.VolumeAttachmentStatus 1:!
k8s.io.api.storage.v1alpha1.VolumeAttributesClass 1:! 2:!
k8s.io.api.storage.v1alpha1.VolumeError 1:! 3:?
k8s.io.api.storage.v1beta1.CSIDriver 1:! 2:!
k8s.io.api.storage.v1beta1.CSIDriverSpec 1:? 2:? 4:? 5:? 7:? 8:? 9:? 10:? 11:?
k8s.io.api.storage.v1beta1.CSINode 1:! 2:! 3:!
k8s.io.api.storage.v1beta1.CSINodeDriver 1:! 2:! 3:!
k8s.io.api.storage.v1beta1.CSINodeSpec 1:!
k8s.io.api.storage.v1beta1.CSINodeStatus
k8s.io.api.storage.v1beta1.CSIStorageCapacity 1:! 3:!
k8s.io.api.storage.v1beta1.StorageClass 1:! 2:! 4:? 6:? 7:?
k8s.io.api.storage.v1beta1.StorageHealth 1:!
k8s.io.api.storage.v1beta1.StorageHealthCondition 1:! 2:! 4:? 5:? 6:!
k8s.io.api.storage.v1beta1.TokenRequest 1:! 2:?
k8s.io.api.storage.v1beta1.VolumeAttachment 1:! 2:! 3:!
k8s.io.api.storage.v1beta1.VolumeAttachmentSource 1:?
k8s.io.api.storage.v1beta1.VolumeAttachmentSpec 1:! 2:! 3:!
k8s.io.api.storage.v1beta1.VolumeAttachmentStatus 1:!
k8s.io.api.storage.v1beta1.VolumeAttributesClass 1:! 2:!
k8s.io.api.storage.v1beta1.VolumeError 1:! 3:?
k8s.io.api.storage.v1beta1.VolumeNodeResources 1:?
k8s.io.api.storagemigration.v1.StorageVersionMigration 1:! 2:! 3:!
k8s.io.api.storagemigration.v1.StorageVersionMigrationSpec 1:!
k8s.io.api.storagemigration.v1.StorageVersionMigrationStatus
k8s.io.api.storagemigration.v1beta1.StorageVersionMigration 1:! 2:! 3:!
k8s.io.api.storagemigration.v1beta1.StorageVersionMigrationSpec 1:!
k8s.io.api.storagemigration.v1beta1.StorageVersionMigrationStatus
k8s.io.apimachinery.pkg.apis.meta.v1.Condition 1:! 2:! 4:! 5:! 6:!
k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions 1:? 3:? 4:? 6:?
k8s.io.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement 1:! 2:!
k8s.io.apimachinery.pkg.apis.meta.v1.GroupResource 1:! 2:!
k8s.io.apimachinery.pkg.apis.meta.v1.GroupVersionKind 1:! 2:! 3:!
k8s.io.apimachinery.pkg.apis.meta.v1.LabelSelector
k8s.io.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement 1:! 2:!
k8s.io.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry
k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta 8:z 10:?
k8s.io.apimachinery.pkg.apis.meta.v1.OwnerReference 5:! 1:! 3:! 4:! 6:? 7:?
k8s.io.apimachinery.pkg.apis.meta.v1.Preconditions 1:? 2:?
"""
