"""The classes and traits that Helm values may set under `config` and under `jupyterhub.hub.config`.

Both are traitlets config of an application, and nothing on the way there checks a name: a misspelt class is ignored in
silence, an unknown trait is a line in a log. The hub's names were listed by JupyterHub 5.3.0, KubeSpawner 7.0.0,
OAuthenticator 17.3.0 and the authenticators that go with them, BinderHub's were read in its source (`app`, `build`,
`launcher`, `quota`, `ratelimit`, `events`, `registry`, `repoproviders`). A newer application may know more traits:
so a trait is refused only where it looks like a misspelt one, and is a warning elsewhere.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

Finding = tuple[str, str, str]
_ALIKE: Final = 0.75
_WAY_OUT: Final = 'pulumi config set --path acceptedRisks.unknownConfig "why"'
# Class, the class whose traits it has as well, its own traits.
_ROWS_OF_BINDER: Final = (
    ("Application", "", "log_datefmt log_format log_level logging_config show_config show_config_json"),
    (
        "BinderHub",
        "Application",
        """
     about_message appendix auth_enabled badge_base_url ban_networks ban_networks_min_prefix_len banner_message
     base_url build_capabilities build_class build_cleanup_interval build_cpu_limit build_cpu_request
     build_docker_config build_docker_host build_image build_max_age build_memory_limit build_memory_request
     build_namespace build_node_selector build_pool build_token_check_origin build_token_expires_seconds
     build_token_secret builder_required concurrent_build_limit config_file cors_allow_origin debug
     docker_registry_class enable_api_only_mode executor_threads extra_footer_scripts extra_static_path
     extra_static_url_prefix google_analytics_code google_analytics_domain health_handler_class hub_api_token hub_url
     hub_url_local image_prefix log_tail_lines no_proxy normalized_origin opengraph_title per_repo_quota
     per_repo_quota_higher pod_quota port proxy push_secret registry_class repo_providers require_build_only
     sticky_builds template_path template_variables tornado_settings use_registry""",
    ),
    ("RepoProvider", "", "allowed_specs banned_specs git_credentials high_quota_specs spec_config"),
    ("FakeProvider", "RepoProvider", ""),
    ("ZenodoProvider", "RepoProvider", ""),
    ("FigshareProvider", "RepoProvider", ""),
    ("DataverseProvider", "RepoProvider", ""),
    ("HydroshareProvider", "RepoProvider", ""),
    ("CKANProvider", "RepoProvider", ""),
    ("GitRepoProvider", "RepoProvider", "allowed_protocols"),
    ("GitLabRepoProvider", "RepoProvider", "access_token hostname private_token"),
    ("GitHubRepoProvider", "RepoProvider", "access_token api_base_path client_id client_secret hostname"),
    ("GistRepoProvider", "GitHubRepoProvider", "allow_secret_gist"),
    ("BuildExecutor", "", "appendix builder_info identifier memory_limit namespace push_secret repo2docker_extra_args"),
    (
        "KubernetesBuildExecutor",
        "BuildExecutor",
        """
     build_image cpu_limit cpu_request docker_host extra_envs log_tail_lines memory_request no_proxy node_selector proxy
     registry_credentials resources sticky_builds""",
    ),
    ("LocalRepo2dockerBuild", "BuildExecutor", ""),
    ("FakeBuild", "BuildExecutor", ""),
    ("KubernetesCleaner", "", "max_age namespace"),
    ("DockerRegistry", "", "auth_config_url docker_config_path password token_url url username"),
    ("FakeRegistry", "DockerRegistry", ""),
    ("ExternalRegistryHelper", "DockerRegistry", "auth_token service_url"),
    ("GoogleArtifactRegistry", "DockerRegistry", ""),
    (
        "Launcher",
        "",
        """
     allow_named_servers create_user hub_api_token hub_url hub_url_local launch_timeout pre_launch_hook retries
     retry_delay""",
    ),
    ("LaunchQuota", "", "total_quota"),
    ("KubernetesLaunchQuota", "LaunchQuota", "namespace"),
    ("RateLimiter", "", "limit period_seconds"),
    ("EventLog", "", "allowed_schemas handlers_maker"),
)
_ROWS_OF_HUB: Final = (
    ("Application", "", "log_datefmt log_format log_level logging_config show_config show_config_json"),
    (
        "JupyterHub",
        "Application",
        """
     active_server_limit active_user_window activity_resolution admin_access admin_users allow_named_servers
     answer_yes api_page_default_limit api_page_max_limit api_tokens authenticate_prometheus authenticator_class
     base_url bind_url cleanup_proxy cleanup_servers concurrent_spawn_limit config_file confirm_no_ssl
     cookie_host_prefix_enabled cookie_max_age_days cookie_secret cookie_secret_file custom_scopes
     data_files_path db_kwargs db_url debug_db debug_proxy default_server_name default_url
     external_ssl_authorities extra_handlers extra_log_file extra_log_handlers forwarded_host_header
     generate_certs generate_config hub_bind_url hub_connect_ip hub_connect_port hub_connect_url hub_ip hub_port
     hub_routespec implicit_spawn_seconds init_spawners_timeout internal_certs_location internal_ssl ip
     jinja_environment_options last_activity_interval load_groups load_roles logo_file
     named_server_limit_per_user oauth_token_expires_in pid_file port proxy_api_ip proxy_api_port
     proxy_auth_token proxy_check_interval proxy_class proxy_cmd public_url recreate_internal_certs
     redirect_to_server reset_db service_check_interval service_tokens services shutdown_on_logout spawner_class
     ssl_cert ssl_key statsd_host statsd_port statsd_prefix subdomain_hook subdomain_host template_paths
     template_vars token_expires_in_max_seconds tornado_settings trust_user_provided_tokens trusted_alt_names
     trusted_downstream_ips upgrade_db use_legacy_stopped_server_status_code user_redirect_hook""",
    ),
    (
        "Authenticator",
        "",
        """
     admin_users allow_all allow_existing_users allowed_users any_allow_config auth_refresh_age auto_login
     auto_login_oauth2_authorize blocked_users delete_invalid_users enable_auth_state manage_groups manage_roles
     otp_prompt post_auth_hook refresh_pre_spawn request_otp reset_managed_roles_on_startup username_map
     username_pattern whitelist""",
    ),
    ("LocalAuthenticator", "Authenticator", "add_user_cmd allowed_groups create_system_users group_whitelist uids"),
    (
        "PAMAuthenticator",
        "LocalAuthenticator",
        """
     admin_groups check_account encoding executor_threads open_sessions pam_normalize_username service""",
    ),
    ("DummyAuthenticator", "Authenticator", "password"),
    ("NullAuthenticator", "Authenticator", ""),
    ("SharedPasswordAuthenticator", "Authenticator", "admin_password user_password"),
    (
        "OAuthenticator",
        "Authenticator",
        """
     admin_groups allowed_groups allowed_scopes auth_state_groups_key authorize_url basic_auth client_id
     client_secret custom_403_message enable_pkce extra_authorize_params http_request_kwargs login_service
     logout_redirect_url modify_auth_state_hook oauth_callback_url refresh_user_hook scope token_params token_url
     userdata_from_id_token userdata_params userdata_token_method userdata_url username_claim
     validate_server_cert""",
    ),
    ("Auth0OAuthenticator", "OAuthenticator", "auth0_domain auth0_subdomain username_key"),
    ("AzureAdOAuthenticator", "OAuthenticator", "tenant_id user_groups_claim"),
    ("BitbucketOAuthenticator", "OAuthenticator", "allowed_teams team_whitelist"),
    (
        "CILogonOAuthenticator",
        "OAuthenticator",
        """
     additional_username_claims allowed_idps cilogon_host idp idp_whitelist shown_idps skin strip_idp_domain""",
    ),
    ("GenericOAuthenticator", "OAuthenticator", "claim_groups_key extra_params tls_verify username_key"),
    (
        "GitHubOAuthenticator",
        "OAuthenticator",
        """
     allowed_organizations github_api github_client_id github_client_secret github_organization_whitelist
     github_url populate_teams_in_auth_state""",
    ),
    (
        "GitLabOAuthenticator",
        "OAuthenticator",
        """
     allowed_gitlab_groups allowed_project_ids gitlab_api gitlab_api_version gitlab_group_whitelist
     gitlab_project_id_whitelist gitlab_url""",
    ),
    (
        "GlobusOAuthenticator",
        "OAuthenticator",
        """
     admin_globus_groups allowed_globus_groups exclude_tokens globus_groups_url globus_local_endpoint
     identity_provider revocation_url revoke_tokens_on_logout username_from_email""",
    ),
    (
        "GoogleOAuthenticator",
        "OAuthenticator",
        """
     admin_google_groups allowed_google_groups google_api_url google_group_whitelist google_service_account_keys
     gsuite_administrator hosted_domain include_nested_groups strip_domain""",
    ),
    (
        "OpenShiftOAuthenticator",
        "OAuthenticator",
        """
     ca_certs openshift_auth_api_url openshift_rest_api_url openshift_url validate_cert""",
    ),
    ("FirstUseAuthenticator", "Authenticator", "check_passwords_on_startup create_users dbm_path min_password_length"),
    (
        "LDAPAuthenticator",
        "Authenticator",
        """
     allowed_groups attributes auth_state_attributes bind_dn_template escape_userdn group_attributes
     group_search_filter lookup_dn lookup_dn_search_filter lookup_dn_search_password lookup_dn_search_user
     lookup_dn_user_dn_attribute search_filter server_address server_port tls_kwargs tls_strategy
     use_lookup_dn_username use_ssl user_attribute user_search_base valid_username_regex""",
    ),
    (
        "LTI11Authenticator",
        "Authenticator",
        "config_description config_icon config_title consumers uri_scheme username_key",
    ),
    (
        "NativeAuthenticator",
        "Authenticator",
        """
     allow_2fa allow_self_approval_for allowed_failed_logins ask_email_on_signup check_common_password
     delete_firstuse_db_after_import enable_signup firstuse_db_path import_from_firstuse minimum_password_length
     open_signup recaptcha_key recaptcha_secret seconds_before_next_try secret_key self_approval_email
     self_approval_server tos""",
    ),
    ("TmpAuthenticator", "Authenticator", "login_service"),
    (
        "LTI13Authenticator",
        "OAuthenticator",
        """
     issuer jwks_algorithms jwks_endpoint tool_description tool_name uri_scheme username_key""",
    ),
    (
        "Spawner",
        "",
        """
     apply_user_options args auth_state_hook cmd consecutive_failure_limit cpu_guarantee cpu_limit debug
     default_url disable_user_config env_keep environment group_overrides http_timeout hub_connect_url ip
     mem_guarantee mem_limit notebook_dir oauth_client_allowed_scopes oauth_roles options_form options_from_form
     poll_interval poll_jitter port post_stop_hook pre_spawn_hook progress_ready_hook server_token_scopes
     ssl_alt_names ssl_alt_names_include_local start_timeout""",
    ),
    (
        "KubeSpawner",
        "Spawner",
        """
     additional_profile_form_template_paths after_pod_created_hook allow_privilege_escalation
     automount_service_account_token common_labels component_label container_security_context delete_grace_period
     delete_pvc delete_stopped_pods dns_name_template enable_user_namespaces events_enabled extra_annotations
     extra_container_config extra_containers extra_labels extra_pod_config extra_resource_guarantees
     extra_resource_limits fs_gid get_pod_url gid handle_legacy_names hub_connect_ip hub_connect_port image
     image_pull_policy image_pull_secrets init_containers k8s_api_host k8s_api_request_retry_timeout
     k8s_api_request_timeout k8s_api_ssl_ca_cert k8s_api_threadpool_workers k8s_api_verify_ssl lifecycle_hooks
     modify_pod_hook namespace node_affinity_preferred node_affinity_required node_selector
     pod_affinity_preferred pod_affinity_required pod_anti_affinity_preferred pod_anti_affinity_required
     pod_connect_ip pod_name_template pod_security_context priority_class_name privileged profile_form_template
     profile_list pvc_name_template remember_pvc_name scheduler_name secret_mount_path secret_name_template
     service_account services_enabled slug_scheme storage_access_modes storage_capacity storage_class
     storage_extra_annotations storage_extra_labels storage_pvc_ensure storage_selector supplemental_gids
     tolerations uid user_namespace_annotations user_namespace_labels user_namespace_template volume_mounts
     volumes working_dir""",
    ),
    ("CryptKeeper", "", "keys n_threads"),
    ("Proxy", "", "extra_routes should_start"),
    (
        "ConfigurableHTTPProxy",
        "Proxy",
        """
     api_url auth_token check_running_interval command concurrency debug log_level pid_file""",
    ),
    ("BinderSpawner", "KubeSpawner", "auth_enabled cors_allow_origin"),
)
# Classes of the hub that are known by name only.
_NAMES_OF_HUB: Final = (
    "AWSCognitoAuthenticator", "EventLog", "IdleCuller", "JWTAuthenticator", "KubeIngressProxy",
    "LocalAuth0OAuthenticator", "LocalAzureAdOAuthenticator", "LocalBitbucketOAuthenticator",
    "LocalCILogonOAuthenticator", "LocalGenericOAuthenticator", "LocalGitHubOAuthenticator",
    "LocalGitLabOAuthenticator", "LocalGlobusOAuthenticator", "LocalGoogleOAuthenticator",
    "LocalOpenShiftOAuthenticator", "LocalProcessSpawner", "LTIAuthenticator", "MultiAuthenticator",
    "MWOAuthenticator", "OktaOAuthenticator", "PeriodicMetricsCollector", "RemoteUserAuthenticator",
    "SAMLAuthenticator", "Service", "SimpleLocalProcessSpawner", "SystemUserSpawner", "TraefikProxy", "WrapSpawner",
)  # fmt: skip
Table = Mapping[str, frozenset[str]]


def _table(rows: tuple[tuple[str, str, str], ...]) -> Table:
    found: dict[str, frozenset[str]] = {}
    for name, base, own in rows:
        found[name] = frozenset(own.split()) | found.get(base, frozenset())
    return found


BINDERHUB: Final = _table(_ROWS_OF_BINDER)
# An empty set: the class is known, its traits are not.
HUB: Final = {**dict.fromkeys(_NAMES_OF_HUB, frozenset[str]()), **_table(_ROWS_OF_HUB)}


def problems(values: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield each unknown class and each trait that looks misspelt, as (place, what is expected, example).

    `values` are Helm values of the BinderHub chart; what is not a map where a class's traits belong is yielded, too.
    """
    for place, known, given in _parts(values):
        for name, traits in given.items():
            if name not in known:
                yield _unknown(f"{place}.{name}", _near(name, known), "a class that the application has", place)
            elif not isinstance(traits, Mapping):
                yield f"{place}.{name}", f"a map of the traits of {name}", f"{place}.{name}: {{trait: value}}"
            else:
                for trait in traits:
                    near = _near(trait, known[name]) if known[name] and trait not in known[name] else ""
                    if near:
                        yield _unknown(f"{place}.{name}.{trait}", near, "", f"{place}.{name}")


def doubts(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the places of traits that are not known and look like none that is: a newer application may have them."""
    for place, known, given in _parts(values):
        for name, traits in given.items():
            listed = known.get(name, frozenset[str]())
            for trait in traits if listed and isinstance(traits, Mapping) else ():
                if trait not in listed and not _near(trait, listed):
                    yield f"{place}.{name}.{trait}"


def _parts(values: Mapping[str, Any]) -> Iterator[tuple[str, Table, Mapping[str, Any]]]:
    """Yield the places where classes stand, with the table of those that may."""
    for path, table in (("config", BINDERHUB), ("jupyterhub.hub.config", HUB)):
        found: Any = values
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            yield path, table, found


def _near(name: str, known: Mapping[str, Any] | frozenset[str]) -> str:
    """Return the known name that is most like this one, whatever its case; "" if none is much like it."""
    by_case = {one.lower(): one for one in known}
    close = difflib.get_close_matches(str(name).lower(), by_case, 1, _ALIKE)
    return by_case[close[0]] if close else ""


def _unknown(place: str, near: str, expected: str, above: str) -> Finding:
    if near:
        example = f"{above}.{near}: ...; or, for one of your own: {_WAY_OUT}"
        return place, f"a name that the application knows; did you mean {near}?", example
    return place, f"{expected}; it is silent about any other. Is it your own, from extraConfig? Then say so", _WAY_OUT
