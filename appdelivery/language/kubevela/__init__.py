"""KubeVela's bare expressions in our spelling."""
