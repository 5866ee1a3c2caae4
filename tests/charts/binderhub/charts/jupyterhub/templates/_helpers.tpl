{{/* "" gives plain names (hub, proxy-public, ...), a text is put in front, null names everything after the release. */}}
{{- define "jupyterhub.prefix" -}}
{{- $override := .Values.fullnameOverride -}}
{{- if not (kindIs "string" $override) }}{{ .Release.Name }}-jupyterhub-{{ else if $override }}{{ $override }}-{{ end -}}
{{- end -}}

{{/* Objects outside any namespace must differ between releases. */}}
{{- define "jupyterhub.clusterPrefix" -}}
{{- include "jupyterhub.prefix" . | default (print .Release.Name "-") -}}
{{- end -}}

{{/* Takes (list $ "component"). */}}
{{- define "jupyterhub.selector" -}}
{{- $ := index . 0 -}}
app: {{ $.Values.nameOverride | default $.Chart.Name }}
component: {{ index . 1 }}
release: {{ $.Release.Name }}
{{- end -}}

{{- define "jupyterhub.labels" -}}
{{- $ := index . 0 -}}
{{ include "jupyterhub.selector" . }}
chart: {{ $.Chart.Name }}-{{ $.Chart.Version }}
heritage: {{ $.Release.Service }}
{{- end -}}

{{- define "jupyterhub.env" -}}
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

{{/* image, pullPolicy of one container. */}}
{{- define "jupyterhub.image" -}}
image: {{ .name }}:{{ .tag }}
{{- with .pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end -}}

{{/* Takes (list $ image): the image's own pull secrets, the common ones, and the one this chart makes. */}}
{{- define "jupyterhub.pullSecrets" -}}
{{- $ := index . 0 -}}
{{- $names := concat $.Values.imagePullSecrets ((index . 1).pullSecrets | default list) -}}
{{- with $.Values.imagePullSecret }}
{{- if and .create .automaticReferenceInjection }}
{{- $names = append $names (print (include "jupyterhub.prefix" $) "image-pull-secret") -}}
{{- end }}
{{- end }}
{{- with $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Takes (list probe path port). */}}
{{- define "jupyterhub.probe" -}}
{{- omit (index . 0) "enabled" | toYaml }}
httpGet: {path: {{ index . 1 | quote }}, port: {{ index . 2 }}}
{{- end -}}

{{/* One of the secrets: as given, else as kept in the cluster, else random. Takes (list $ given key random). */}}
{{- define "jupyterhub.kept" -}}
{{- $ := index . 0 -}}
{{- $live := lookup "v1" "Secret" $.Release.Namespace (print (include "jupyterhub.prefix" $) "hub") | default dict -}}
{{- $kept := index ($live.data | default dict) (index . 2) | default "" -}}
{{- index . 1 | default ($kept | b64dec) | default (index . 3) -}}
{{- end -}}

{{- define "jupyterhub.proxyToken" -}}
{{- $given := .Values.hub.config | dig "ConfigurableHTTPProxy" "auth_token" "" | default .Values.proxy.secretToken -}}
{{- include "jupyterhub.kept" (list . $given "hub.config.ConfigurableHTTPProxy.auth_token" (randAlphaNum 64)) -}}
{{- end -}}

{{/* The data of Secret hub. The whole of the values is in it, and the hub's pod carries its checksum: so any change of a
     value of this subchart restarts the hub, and a secret left to chance restarts it on each render without a cluster. */}}
{{- define "jupyterhub.hubSecretData" -}}
{{- $config := .Values.hub.config -}}
{{- $cookie := $config | dig "JupyterHub" "cookie_secret" "" | default .Values.hub.cookieSecret -}}
{{- $keys := $config | dig "CryptKeeper" "keys" list | join ";" -}}
values.yaml: {{ toYaml .Values | b64enc | quote }}
hub.config.ConfigurableHTTPProxy.auth_token: {{ include "jupyterhub.proxyToken" . | b64enc | quote }}
hub.config.JupyterHub.cookie_secret: {{ include "jupyterhub.kept" (list . $cookie "hub.config.JupyterHub.cookie_secret" (randAlphaNum 32 | sha256sum)) | b64enc | quote }}
hub.config.CryptKeeper.keys: {{ include "jupyterhub.kept" (list . $keys "hub.config.CryptKeeper.keys" (randAlphaNum 32 | sha256sum)) | b64enc | quote }}
{{- range $name, $service := .Values.hub.services }}
{{- $key := printf "hub.services.%s.apiToken" $name }}
{{ $key }}: {{ include "jupyterhub.kept" (list $ ($service.apiToken | default $service.api_token) $key (randAlphaNum 64)) | b64enc | quote }}
{{- end }}
{{- end -}}

{{- define "jupyterhub.pdb" -}}
{{- $ := index . 0 -}}
{{- $component := index . 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "jupyterhub.prefix" $ }}{{ $component }}
  labels:
    {{- include "jupyterhub.labels" (list $ $component) | nindent 4 }}
spec:
  {{- omit (index . 2) "enabled" | toYaml | nindent 2 }}
  selector:
    matchLabels:
      {{- include "jupyterhub.selector" (list $ $component) | nindent 6 }}
{{- end -}}
