{{- define "binderhub.labels" -}}
app: binder
release: {{ .Release.Name }}
chart: {{ .Chart.Name }}-{{ .Chart.Version }}
heritage: {{ .Release.Service }}
{{- end -}}

{{- define "binderhub.selector" -}}
app: binder
name: binder
component: binder
release: {{ .Release.Name }}
heritage: {{ .Release.Service }}
{{- end -}}

{{/* The hub's names carry `jupyterhub.fullnameOverride`. With null this is not what the subchart makes of it: a trap of
     the real chart, kept. */}}
{{- define "binderhub.hubSecret" -}}
{{- $override := .Values.jupyterhub.fullnameOverride -}}
{{- if not (kindIs "string" $override) }}{{ .Release.Name }}-binderhub-{{ else if $override }}{{ $override }}-{{ end -}}
hub
{{- end -}}

{{- define "binderhub.image" -}}
{{ .name }}:{{ .tag }}
{{- end -}}

{{- define "binderhub.pullSecrets" -}}
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{/* A list of env entries, or a map of them: both are accepted. */}}
{{- define "binderhub.env" -}}
{{- if kindIs "slice" . }}{{ toYaml . }}
{{- else }}
{{- range $name, $value := . }}
- name: {{ $name | quote }}
{{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
{{- else }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What the application reads at its start. A change of it restarts binder, by checksum. */}}
{{- define "binderhub.settings" -}}
{{- $settings := dict "config" .Values.config "extraConfig" .Values.extraConfig "imageBuilderType" .Values.imageBuilderType -}}
{{- if eq .Values.imageBuilderType "dind" }}{{ $_ := set $settings "dind" .Values.dind }}{{ end -}}
{{- if eq .Values.imageBuilderType "pink" }}{{ $_ := set $settings "pink" .Values.pink }}{{ end -}}
{{- toYaml $settings -}}
{{- end -}}

{{/* config.json of the push secret. A password left out becomes the text `%!s(<nil>)`, as in the real chart. */}}
{{- define "binderhub.dockerConfig" -}}
{{- $url := .Values.registry.url | default "https://index.docker.io/v1/" -}}
{{- $user := .Values.registry.username | default (eq $url "https://gcr.io" | ternary "_json_key" "<token>") -}}
{{- $auth := printf "%s:%s" $user .Values.registry.password | b64enc -}}
{{- $config := dict "auths" (dict $url (dict "auth" $auth)) -}}
{{- if not .Values.config.BinderHub.use_registry }}{{ $config = dict }}{{ end -}}
{{- merge $config (.Values.config.BinderHub.buildDockerConfig | default dict) | toJson -}}
{{- end -}}

{{- define "binderhub.hasDockerConfig" -}}
{{- if or .Values.config.BinderHub.use_registry .Values.config.BinderHub.buildDockerConfig }}yes{{ end -}}
{{- end -}}
