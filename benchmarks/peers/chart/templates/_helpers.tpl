{{- define "inference.name" -}}
{{- printf "%s%s" .name .suffix | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "inference.selector" -}}
app.kubernetes.io/name: {{ include "inference.name" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "inference.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "inference.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "inference.metadata" -}}
metadata:
  name: {{ include "inference.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "inference.labels" . | nindent 4 }}
{{- end -}}

{{- define "inference.probe" -}}
{{- $probe := deepCopy . -}}
{{- range $key, $value := dict "initialDelaySeconds" 0 "periodSeconds" 10 "timeoutSeconds" 1 "successThreshold" 1 "failureThreshold" 3 -}}
{{- if not (hasKey $probe $key) -}}{{- $_ := set $probe $key $value -}}{{- end -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}

{{- define "inference.container" -}}
{{- $suffix := .suffix -}}
name: {{ include "inference.name" . }}
image: {{ printf "%s:%s" .spec.image.repository (.spec.image.tag | default .root.Chart.AppVersion | toString) | quote }}
{{- with .spec.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- range .spec.ports }}
  - containerPort: {{ .port }}
    protocol: {{ .protocol | default "TCP" }}
    name: {{ .name | default (printf "port-%d" (int .port)) }}
  {{- end }}
{{- with .spec.env }}
env:
  {{- range . }}
  - name: {{ .name }}
    {{- if .secret }}
    valueFrom:
      secretKeyRef:
        name: {{ printf "%s%s" .secret $suffix }}
        key: {{ .key }}
    {{- else if .service }}
    value: {{ printf "%s%s%s%s" (.before | default "") .service $suffix (.after | default "") | quote }}
    {{- else }}
    value: {{ .value | quote }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if or .spec.configs .spec.secrets }}
envFrom:
  {{- range .spec.configs }}
  - configMapRef:
      name: {{ printf "%s%s" . $suffix }}
  {{- end }}
  {{- range .spec.secrets }}
  - secretRef:
      name: {{ printf "%s%s" . $suffix }}
  {{- end }}
{{- end }}
{{- with .spec.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.volumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.livenessProbe }}
livenessProbe:
  {{- include "inference.probe" . | nindent 2 }}
{{- end }}
{{- with .spec.readinessProbe }}
readinessProbe:
  {{- include "inference.probe" . | nindent 2 }}
{{- end }}
{{- with .spec.startupProbe }}
startupProbe:
  {{- include "inference.probe" . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "inference.template" -}}
template:
  metadata:
    labels:
      {{- include "inference.labels" . | nindent 6 }}
  spec:
    containers:
      - {{- include "inference.container" . | nindent 8 }}
    {{- with .spec.volumes }}
    volumes:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}
