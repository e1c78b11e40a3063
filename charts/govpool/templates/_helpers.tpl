{{/* The operator's names. */}}
{{- define "govpool.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "govpool.selectorLabels" -}}
app.kubernetes.io/name: govpool
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "govpool.labels" -}}
{{ include "govpool.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: govpool
app.kubernetes.io/component: operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "govpool.image" -}}
{{- $version := .Chart.AppVersion -}}
{{- with .image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $version .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the Jobs' Pods get besides, as JSON; nothing where that is nothing. */}}
{{- define "govpool.runnerPod" -}}
{{- $names := dict "imagePullSecrets" "imagePullSecrets" "nodeSelector" "nodeSelector" "tolerations" "tolerations" "priorityClassName" "priorityClassName" "resources" "resources" "extraEnv" "env" "extraVolumes" "volumes" "extraVolumeMounts" "volumeMounts" -}}
{{- $pod := dict -}}
{{- range $value, $name := $names -}}
{{- with index $.Values.runner $value -}}
{{- $_ := set $pod $name . -}}
{{- end -}}
{{- end -}}
{{- if $pod -}}{{ toJson $pod }}{{- end -}}
{{- end -}}

{{/* Refused before anything is made. */}}
{{- define "govpool.check" -}}
{{- if ne .Release.Namespace "govpool-system" -}}
{{- fail (printf "install into the namespace govpool-system, not %s: operator, Secrets and admission policies meet there" .Release.Namespace) -}}
{{- end -}}
{{- if and (gt (int .Values.replicaCount) 1) .Values.persistence.enabled (not .Values.persistence.existingClaim) (not (has "ReadWriteMany" .Values.persistence.accessModes)) -}}
{{- fail "replicaCount > 1 needs persistence.accessModes: [ReadWriteMany] (or an existingClaim that has it): whoever takes over reads the evidence" -}}
{{- end -}}
{{- end -}}

{{/* What operator and runs may reach. */}}
{{- define "govpool.egress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.apiServer }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .Values.networkPolicy.serverNetworks }}
- ports:
    - {protocol: TCP, port: 22}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end -}}
