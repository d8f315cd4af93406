"""The table of well-known custom resources: (group, kind) to its row.  Data only; table.py reads it."""

from __future__ import annotations

from appdelivery.delivery.health.table import Phase, Row

READY = Row(ready=("Ready",))
READY_OR_BAD = Row(ready=("Ready",), false_is_bad=True)
PRESENT = Row(present=True)
FLUX = Row(
    ready=("Ready",),
    bad=("Stalled",),
    false_is_bad=True,
    patient=("Progressing", "DependencyNotReady", "ArtifactOutdated"),
    suspend="suspend",
)
STRIMZI = Row(ready=("Ready",), bad=("NotReady",), patient=("Creating",))
MANAGED = Row(ready=("Synced", "Ready"))  # a resource of Crossplane
ELASTIC = Row(phases=(Phase("health", good=("green",), failed=("yellow", "red")),))
PERCONA = Row(phases=(Phase("state", good=("ready",), failed=("error",), suspended=("paused",)),))
BACKUP = Row(
    phases=(
        Phase(
            "phase",
            good=("Completed", "Enabled", "Available"),
            failed=("Failed", "PartiallyFailed", "FailedValidation", "FinalizingPartiallyFailed", "Unavailable"),
        ),
    )
)
ANALYSIS = Row(phases=(Phase("phase|status", good=("Successful",), failed=("Failed", "Error"), unclear=("Inconclusive",)),))
MACHINES = Row(
    ready=("Ready|Available?",), phases=(Phase("phase", good=("Running",), failed=("Failed",)),), suspend="paused"
)
QUEUE = Row(ready=("Active",))
PROMETHEUS = Row(ready=("Available", "Reconciled"), suspend="paused")

ROWS: dict[tuple[str, str], Row] = {
    # certificates and secrets
    ("cert-manager.io", "Certificate"): Row(ready=("Ready",), busy=("Issuing",), broken=("Issuing",)),
    ("cert-manager.io", "CertificateRequest"): Row(ready=("Ready",), bad=("Denied", "InvalidRequest")),
    ("cert-manager.io", "Issuer"): READY_OR_BAD,
    ("cert-manager.io", "ClusterIssuer"): READY_OR_BAD,
    ("acme.cert-manager.io", "Challenge"): Row(
        phases=(Phase("state", good=("valid",), failed=("invalid", "expired", "errored")),)
    ),
    ("acme.cert-manager.io", "Order"): Row(
        phases=(Phase("state", good=("valid",), failed=("invalid", "expired", "errored")),)
    ),
    ("trust.cert-manager.io", "Bundle"): Row(ready=("Synced",)),
    ("external-secrets.io", "ExternalSecret"): READY_OR_BAD,
    ("external-secrets.io", "ClusterExternalSecret"): READY_OR_BAD,
    ("external-secrets.io", "PushSecret"): READY_OR_BAD,
    ("external-secrets.io", "SecretStore"): READY_OR_BAD,
    ("external-secrets.io", "ClusterSecretStore"): READY_OR_BAD,
    ("bitnami.com", "SealedSecret"): Row(ready=("Synced",), false_is_bad=True),
    ("onepassword.com", "OnePasswordItem"): READY_OR_BAD,
    # GitOps
    ("source.toolkit.fluxcd.io", "GitRepository"): FLUX,
    ("source.toolkit.fluxcd.io", "HelmRepository"): FLUX,
    ("source.toolkit.fluxcd.io", "OCIRepository"): FLUX,
    ("source.toolkit.fluxcd.io", "HelmChart"): FLUX,
    ("source.toolkit.fluxcd.io", "Bucket"): FLUX,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): FLUX,
    ("helm.toolkit.fluxcd.io", "HelmRelease"): FLUX,
    ("image.toolkit.fluxcd.io", "ImageRepository"): FLUX,
    ("image.toolkit.fluxcd.io", "ImagePolicy"): FLUX,
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation"): FLUX,
    ("notification.toolkit.fluxcd.io", "Receiver"): FLUX,
    ("argoproj.io", "Application"): Row(
        phases=(Phase("health.status", good=("Healthy",), failed=("Degraded", "Missing"), suspended=("Suspended",)),)
    ),
    ("argoproj.io", "ApplicationSet"): Row(ready=("ResourcesUpToDate",), bad=("ErrorOccurred",)),
    ("argoproj.io", "Workflow"): Row(
        phases=(Phase("phase", good=("Succeeded",), failed=("Failed", "Error")),), suspend="suspend"
    ),
    ("argoproj.io", "AnalysisRun"): ANALYSIS,
    ("argoproj.io", "Experiment"): ANALYSIS,
    # serving and training
    ("serving.knative.dev", "Service"): READY_OR_BAD,
    ("serving.knative.dev", "Configuration"): READY_OR_BAD,
    ("serving.knative.dev", "Revision"): Row(ready=("Ready",), patient=("Deploying", "ContainerHealthy")),
    ("serving.knative.dev", "Route"): READY_OR_BAD,
    ("serving.kserve.io", "InferenceService"): READY,
    ("serving.kserve.io", "LLMInferenceService"): READY,
    ("serving.kserve.io", "InferenceGraph"): READY,
    ("ray.io", "RayCluster"): Row(phases=(Phase("state", good=("ready",), failed=("failed",), suspended=("suspended",)),)),
    ("ray.io", "RayService"): READY,
    ("sparkoperator.k8s.io", "SparkApplication"): Row(
        phases=(
            Phase(
                "applicationState.state",
                good=("RUNNING", "COMPLETED"),
                failed=("FAILED", "SUBMISSION_FAILED", "FAILING"),
                suspended=("SUSPENDED",),
            ),
        )
    ),
    ("flink.apache.org", "FlinkDeployment"): Row(
        error="reconciliationStatus.error", phases=(Phase("jobManagerDeploymentStatus", good=("READY",), failed=("ERROR",)),)
    ),
    ("batch.volcano.sh", "Job"): Row(
        phases=(Phase("state.phase", good=("Completed",), failed=("Failed", "Aborted", "Terminated")),)
    ),
    ("numaflow.numaproj.io", "Pipeline"): Row(
        ready=("Deployed", "DaemonServiceHealthy?", "VerticesHealthy?", "SideInputsManagersHealthy?"),
        phases=(Phase("phase", good=("Running",), failed=("Failed",), suspended=("Paused",)),),
    ),
    ("camel.apache.org", "Integration"): Row(ready=("Ready",)),
    ("kueue.x-k8s.io", "ClusterQueue"): QUEUE,
    ("kueue.x-k8s.io", "LocalQueue"): QUEUE,
    ("kueue.x-k8s.io", "AdmissionCheck"): QUEUE,
    ("kueue.x-k8s.io", "ResourceFlavor"): PRESENT,
    ("data.fluid.io", "Dataset"): Row(phases=(Phase("phase", good=("Bound",), failed=("Failed",)),)),
    ("nvidia.com", "ClusterPolicy"): Row(phases=(Phase("state", good=("ready",), failed=("ignored",)),)),
    # databases and queues
    ("kafka.strimzi.io", "Kafka"): STRIMZI,
    ("kafka.strimzi.io", "KafkaTopic"): STRIMZI,
    ("kafka.strimzi.io", "KafkaUser"): STRIMZI,
    ("kafka.strimzi.io", "KafkaConnect"): STRIMZI,
    ("kafka.strimzi.io", "KafkaConnector"): STRIMZI,
    ("kafka.strimzi.io", "KafkaMirrorMaker2"): STRIMZI,
    ("kafka.strimzi.io", "KafkaBridge"): STRIMZI,
    ("kafka.strimzi.io", "KafkaNodePool"): PRESENT,
    ("postgresql.cnpg.io", "Cluster"): Row(
        ready=("Ready",),
        phases=(
            Phase(
                "phase",
                good=("Cluster in healthy state",),
                failed=("Failing over", "Cluster is unrecoverable and needs manual intervention"),
                optional=True,
            ),
        ),
    ),
    ("acid.zalan.do", "postgresql"): Row(
        phases=(
            Phase(
                "PostgresClusterStatus",
                good=("Running",),
                failed=("CreateFailed", "UpdateFailed", "SyncFailed", "Invalid"),
            ),
        )
    ),
    ("pxc.percona.com", "PerconaXtraDBCluster"): PERCONA,
    ("ps.percona.com", "PerconaServerMySQL"): PERCONA,
    ("psmdb.percona.com", "PerconaServerMongoDB"): PERCONA,
    ("pgv2.percona.com", "PerconaPGCluster"): PERCONA,
    ("mongodbcommunity.mongodb.com", "MongoDBCommunity"): Row(
        phases=(Phase("phase", good=("Running",), failed=("Failed",)),)
    ),
    ("k8s.mariadb.com", "MariaDB"): READY,
    ("cassandra.datastax.com", "CassandraDatacenter"): Row(
        ready=("Ready",), phases=(Phase("cassandraOperatorProgress", good=("Ready",), optional=True),), suspend="stopped"
    ),
    ("clickhouse.altinity.com", "ClickHouseInstallation"): Row(
        phases=(Phase("status", good=("Completed",), failed=("Aborted",)),)
    ),
    ("rabbitmq.com", "RabbitmqCluster"): Row(
        ready=("ClusterAvailable", "AllReplicasReady", "ReconcileSuccess?"), broken=("ReconcileSuccess",)
    ),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch"): Row(
        phases=(
            Phase("phase", good=("Ready",), failed=("Invalid",)),
            Phase("health", good=("green",), failed=("yellow", "red"), optional=True),
        )
    ),
    ("kibana.k8s.elastic.co", "Kibana"): ELASTIC,
    ("apm.k8s.elastic.co", "ApmServer"): ELASTIC,
    ("beat.k8s.elastic.co", "Beat"): ELASTIC,
    ("agent.k8s.elastic.co", "Agent"): ELASTIC,
    ("logstash.k8s.elastic.co", "Logstash"): ELASTIC,
    ("minio.min.io", "Tenant"): Row(
        phases=(
            Phase(
                "currentState",
                good=("Initialized",),
                failed=(
                    "Statefulset not controlled by operator",
                    "Another MinIO Tenant already exists in the namespace",
                    "Different versions across MinIO Pools",
                ),
                unclear=("<unknown status message>",),
            ),
        )
    ),
    ("db.atlasgo.io", "AtlasMigration"): Row(ready=("Ready",), false_is_bad=True, patient=("Reconciling",)),
    ("db.atlasgo.io", "AtlasSchema"): Row(ready=("Ready",), false_is_bad=True, patient=("Reconciling",)),
    # clusters, machines, volumes
    ("cluster.x-k8s.io", "Cluster"): Row(
        ready=("Ready|Available", "TopologyReconciled?"),
        busy=("RollingOut",),
        phases=(Phase("phase", good=("Provisioned",), failed=("Failed", "Unknown"), optional=True),),
        suspend="paused",
    ),
    ("cluster.x-k8s.io", "MachineDeployment"): MACHINES,
    ("cluster.x-k8s.io", "MachinePool"): MACHINES,
    ("cluster.x-k8s.io", "Machine"): MACHINES,
    ("addons.cluster.x-k8s.io", "ClusterResourceSet"): Row(ready=("ResourcesApplied",), false_is_bad=True),
    ("karpenter.sh", "NodePool"): READY,
    ("karpenter.sh", "NodeClaim"): READY,
    ("kubevirt.io", "VirtualMachine"): Row(
        ready=("Ready",),
        bad=("Failure",),
        phases=(
            Phase(
                "printableStatus",
                good=("Running", "Migrating"),
                failed=(
                    *("CrashLoopBackOff", "ErrorUnschedulable", "ErrImagePull", "ImagePullBackOff"),
                    *("ErrorPvcNotFound", "ErrorDataVolumeNotFound", "DataVolumeError"),
                ),
                suspended=("Stopped", "Paused"),
                optional=True,
            ),
        ),
    ),
    ("cdi.kubevirt.io", "DataVolume"): Row(
        broken=("Running",),
        patient=("Completed", "TransferRunning", ""),
        phases=(Phase("phase", good=("Succeeded",), failed=("Failed",)),),
    ),
    ("snapshot.storage.k8s.io", "VolumeSnapshot"): Row(error="error.message", phases=(Phase("readyToUse", good=("true",)),)),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"): Row(
        error="error.message", phases=(Phase("readyToUse", good=("true",)),)
    ),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"): PRESENT,
    ("longhorn.io", "Volume"): Row(
        phases=(
            Phase("state", good=("attached", "detached")),
            Phase("robustness", good=("healthy", "unknown"), failed=("faulted",), optional=True),
        )
    ),
    ("velero.io", "Backup"): BACKUP,
    ("velero.io", "Restore"): BACKUP,
    ("velero.io", "Schedule"): BACKUP,
    ("velero.io", "BackupStorageLocation"): BACKUP,
    # clouds
    ("apiextensions.crossplane.io", "CompositeResourceDefinition"): Row(ready=("Established",)),
    ("apiextensions.crossplane.io", "Composition"): PRESENT,
    ("apiextensions.crossplane.io", "CompositionRevision"): PRESENT,
    ("apiextensions.crossplane.io", "EnvironmentConfig"): PRESENT,
    ("pkg.crossplane.io", "Provider"): Row(ready=("Installed", "Healthy")),
    ("pkg.crossplane.io", "Function"): Row(ready=("Installed", "Healthy")),
    ("pkg.crossplane.io", "Configuration"): Row(ready=("Installed", "Healthy")),
    ("pkg.crossplane.io", "ProviderRevision"): Row(ready=("Healthy|RevisionHealthy",)),
    ("pkg.crossplane.io", "FunctionRevision"): Row(ready=("Healthy|RevisionHealthy",)),
    ("pkg.crossplane.io", "ConfigurationRevision"): Row(ready=("Healthy|RevisionHealthy",)),
    ("pkg.crossplane.io", "ImageConfig"): PRESENT,
    ("pkg.crossplane.io", "DeploymentRuntimeConfig"): PRESENT,
    **{
        (f"*.{cloud}", kind): PRESENT
        for cloud in ("crossplane.io", "upbound.io")
        for kind in (
            *("ProviderConfig", "ClusterProviderConfig", "ProviderConfigUsage", "ClusterProviderConfigUsage"),
            "StoreConfig",
        )
    },
    ("*.crossplane.io", "*"): MANAGED,
    ("*.upbound.io", "*"): MANAGED,
    ("*.services.k8s.aws", "*"): Row(ready=("Ready|ACK.ResourceSynced",), bad=("ACK.Terminal",)),
    ("core.cnrm.cloud.google.com", "ConfigConnector"): Row(phases=(Phase("healthy", good=("true",), failed=("false",)),)),
    ("core.cnrm.cloud.google.com", "ConfigConnectorContext"): Row(
        phases=(Phase("healthy", good=("true",), failed=("false",)),)
    ),
    ("*.cnrm.cloud.google.com", "*"): READY,
    # monitoring, policy, network, identity
    ("monitoring.coreos.com", "Prometheus"): PROMETHEUS,
    ("monitoring.coreos.com", "PrometheusAgent"): PROMETHEUS,
    ("monitoring.coreos.com", "Alertmanager"): PROMETHEUS,
    ("monitoring.coreos.com", "ThanosRuler"): PROMETHEUS,
    ("monitoring.coreos.com", "ServiceMonitor"): PRESENT,
    ("monitoring.coreos.com", "PodMonitor"): PRESENT,
    ("monitoring.coreos.com", "PrometheusRule"): PRESENT,
    ("monitoring.coreos.com", "Probe"): PRESENT,
    ("datadoghq.com", "DatadogMetric"): Row(ready=("Valid",), bad=("Error",)),
    ("grafana.integreatly.org", "Grafana"): Row(
        phases=(Phase("stage", good=("complete",)), Phase("stageStatus", good=("success",), failed=("failed",)))
    ),
    ("kyverno.io", "ClusterPolicy"): READY,
    ("kyverno.io", "Policy"): READY,
    ("gateway.networking.k8s.io", "ReferenceGrant"): PRESENT,
    ("projectcontour.io", "HTTPProxy"): Row(ready=("Valid",), false_is_bad=True),
    ("k8s.keycloak.org", "Keycloak"): Row(ready=("Ready",), bad=("HasErrors",), busy=("RollingUpdate",)),
    ("operators.coreos.com", "Subscription"): Row(
        bad=("ResolutionFailed", "InstallPlanFailed", "InstallPlanMissing", "BundleUnpackFailed"),
        phases=(Phase("state", good=("AtLatestKnown",)),),
    ),
    ("operators.coreos.com", "ClusterServiceVersion"): Row(
        phases=(Phase("phase", good=("Succeeded",), failed=("Failed",)),)
    ),
    ("operators.coreos.com", "CatalogSource"): Row(
        phases=(Phase("connectionState.lastObservedState", good=("READY",), failed=("TRANSIENT_FAILURE",)),)
    ),
    ("operators.coreos.com", "OperatorGroup"): PRESENT,
}
