{{/* The name of all objects; at most 63 characters, as Kubernetes allows. */}}
{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the nodes of this release. Must never change: a Deployment's selector cannot. */}}
{{- define "holdfast.selector" -}}
app: {{ include "holdfast.fullname" . }}
{{- end -}}

{{- define "holdfast.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "holdfast.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "holdfast.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{/* Where the ledger is: for the nodes and for the migration. */}}
{{- define "holdfast.ledgerEnv" -}}
- name: HOLDFAST_LEDGER_URL
  valueFrom:
    secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: {{ .Values.secretKeys.ledger | quote }} }
{{- with .Values.secretKeys.password }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef: { name: {{ $.Values.existingSecret | quote }}, key: {{ . | quote }} }
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
