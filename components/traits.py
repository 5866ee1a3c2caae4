"""The classes and traits that Helm values may set under `config` and under `jupyterhub.hub.config`.

Both are traitlets config of an application, and nothing on the way there checks a name: a misspelt class is ignored in
silence, an unknown trait is a line in a log. A newer application may know more traits than this table: so a trait is
refused where it looks like a misspelt one or stands at the wrong level, and is a warning elsewhere.

The names were taken in November 2026, and those of several versions stand side by side. The hub's were listed by the
programs themselves: JupyterHub 4.1.6, 5.3.0, 5.5.4, 6.1.1; KubeSpawner 6.2.0, 7.0.0, 7.1.0; OAuthenticator 16.3.1,
17.3.0, 17.4.0; the other authenticators of the chart's image. BinderHub's were read in jupyterhub/binderhub: `app` at
e4becd78, `build` at 34996b31, `build_local` at e38480aa, `repoproviders` at 00eecd77, `registry` and `launcher` as of
2023, `quota` at 167ab3e1, `ratelimit` at 29e3c4d5, `binderspawner_mixin` at 08deb654; what came later, up to August
2026, in notes on main (pull requests 1833, 1936, 2107). Deprecated names that still work are among them.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Finding = tuple[str, str, str]
# Class; the classes whose traits it has as well, which stand above it; its own traits.
Row = tuple[str, str, str]
Table = Mapping[str, frozenset[str]]

# The command that lets names pass.
WAY_OUT: Final = 'pulumi config set --path acceptedRisks.unknownConfig "why"'
_ALIKE: Final = 0.75
_LOGS: Final = "log_datefmt log_format log_level logging_config show_config show_config_json"
_ROWS_OF_BINDER: Final[tuple[Row, ...]] = (
    ("Application", "", _LOGS),
    ("BinderHub", "Application", """
        about_message appendix auth_enabled badge_base_url ban_networks banner_message base_url
        block_build_user_agents build_class build_cleaner_class build_cleanup_interval build_docker_config
        build_docker_host build_image build_max_age build_memory_limit build_memory_request build_namespace
        build_node_selector build_token_check_origin build_token_expires_seconds build_token_secret builder_required
        concurrent_build_limit config_file cors_allow_origin debug default_opengraph_title enable_api_only_mode
        executor_threads extra_footer_scripts extra_header_html extra_static_path extra_static_url_prefix
        health_handler_class hub_api_token hub_url hub_url_local image_prefix launch_quota_class log_tail_lines
        normalized_origin per_repo_quota per_repo_quota_higher pod_quota port push_secret registry_class
        repo_providers sticky_builds template_path template_variables tornado_settings use_registry"""),
    ("RepoProvider", "", "allowed_specs banned_specs git_credentials high_quota_specs spec_config"),
    *((f"{sort}Provider", "RepoProvider", "") for sort in (
        "CKAN", "Dataverse", "Fake", "Figshare", "Hydroshare", "Zenodo")),
    ("GitRepoProvider", "RepoProvider", "allowed_protocols"),
    ("GitLabRepoProvider", "RepoProvider", "access_token hostname private_token"),
    ("GitHubRepoProvider", "RepoProvider", "access_token api_base_path client_id client_secret hostname"),
    ("GistRepoProvider", "GitHubRepoProvider", "allow_secret_gist"),
    ("BuildExecutor", "", """
        appendix builder_info git_credentials memory_limit push_secret registry_credentials repo2docker_extra_args"""),
    ("KubernetesBuildExecutor", "BuildExecutor", """
        build_image docker_host extra_envs image_pull_secrets log_tail_lines memory_request namespace node_selector
        resources sticky_builds"""),
    ("LocalRepo2dockerBuild", "BuildExecutor", ""),
    ("FakeBuild", "BuildExecutor", ""),
    ("KubernetesCleaner", "", "max_age"),
    ("DockerRegistry", "", "auth_config_url docker_config_path not_found_401 password token_url url username"),
    ("FakeRegistry", "DockerRegistry", ""),
    ("GoogleArtifactRegistry", "DockerRegistry", ""),
    ("ExternalRegistryHelper", "DockerRegistry", "auth_token service_url"),
    ("Launcher", "", """
        allow_named_servers launch_timeout named_server_limit_per_user pre_launch_hook retries retry_delay"""),
    ("LaunchQuota", "", "total_quota"),
    ("KubernetesLaunchQuota", "LaunchQuota", "namespace"),
    ("RateLimiter", "", "clean_seconds limit period_seconds"),
    ("EventLog", "", "handlers_maker"),
    # With a login, binder is a client of the hub.
    ("HubAuth", "", """
        access_scopes allow_token_in_url allow_websocket_cookie_auth api_token api_url base_url cache_max_age certfile
        client_ca cookie_host_prefix_enabled cookie_options hub_host hub_prefix keyfile login_url"""),
    ("HubOAuth", "HubAuth", """
        oauth_authorization_url oauth_client_id oauth_redirect_uri oauth_state_max_age oauth_token_url"""),
)  # fmt: skip
# With any of the first two, the application does not start; the third is a name of 2019.
_GONE: Final = {
    "google_analytics_code": "extra_footer_scripts",
    "google_analytics_domain": "extra_footer_scripts",
    "docker_registry_class": "registry_class",
}
_ROWS_OF_HUB: Final[tuple[Row, ...]] = (
    ("Application", "", _LOGS),
    ("JupyterHub", "Application", """
        active_server_limit active_user_window activity_resolution admin_access admin_users
        allow_existing_invalid_named_servers allow_named_servers answer_yes api_page_default_limit
        api_page_max_limit api_tokens authenticate_prometheus authenticator_class base_url bind_url cleanup_proxy
        cleanup_servers concurrent_spawn_limit config_file confirm_no_ssl cookie_host_prefix_enabled
        cookie_max_age_days cookie_secret cookie_secret_file custom_scopes data_files_path db_kwargs db_url debug_db
        debug_proxy default_server_name default_url external_ssl_authorities extra_handlers extra_log_file
        extra_log_handlers extra_user_scopes forwarded_host_header generate_certs generate_config hub_bind_url
        hub_connect_ip hub_connect_port hub_connect_url hub_ip hub_port hub_routespec hub_socket_mode
        implicit_spawn_seconds init_spawners_timeout internal_certs_location internal_ssl ip
        jinja_environment_options last_activity_interval load_groups load_roles logo_file
        named_server_limit_per_user oauth_require_pkce oauth_token_expires_in pid_file port proxy_api_ip
        proxy_api_port proxy_auth_token proxy_check_interval proxy_class proxy_cmd public_url
        recreate_internal_certs redirect_to_server reset_db service_check_interval service_tokens services
        shutdown_on_logout spawner_class ssl_cert ssl_key statsd_host statsd_port statsd_prefix subdomain_hook
        subdomain_host template_paths template_vars token_expires_in_max_seconds tornado_settings
        trust_user_provided_tokens trusted_alt_names trusted_downstream_ips upgrade_db
        use_legacy_stopped_server_status_code user_redirect_hook"""),
    ("EventLog", "", "allowed_schemas handlers"),
    ("EventLogger", "", "handlers"),
    ("PeriodicMetricsCollector", "", """
        active_users_enabled active_users_update_interval event_loop_interval_enabled
        event_loop_interval_log_threshold event_loop_interval_resolution"""),
    ("JupyterHubHTTPClient", "", "connector_options session_options"),
    ("CryptKeeper", "", "keys n_threads"),
    ("Proxy", "", "extra_routes should_start"),
    ("ConfigurableHTTPProxy", "Proxy", """
        api_url auth_token check_running_interval command command_umask concurrency debug log_level pid_file"""),
    ("KubeIngressProxy", "Proxy", """
        common_labels component_label ingress_class_name ingress_extra_annotations ingress_extra_labels
        ingress_specifications k8s_api_host k8s_api_ssl_ca_cert k8s_api_verify_ssl namespace
        reuse_existing_services"""),
    ("ResourceReflector", "", "fields labels omit_namespace request_timeout restart_seconds timeout_seconds"),
    *((f"{sort}Reflector", "ResourceReflector", "") for sort in (
        "Endpoints", "Event", "Ingress", "MultiNamespaceResource", "NamespacedResource", "Pod", "Service")),
    ("Spawner", "", """
        apply_user_options args auth_state_hook cmd consecutive_failure_limit cpu_guarantee cpu_limit debug
        default_url disable_user_config env_keep environment group_overrides http_timeout hub_connect_url ip
        mem_guarantee mem_limit notebook_dir oauth_client_allowed_scopes oauth_roles options_form options_from_form
        poll_interval poll_jitter port post_stop_hook pre_spawn_hook progress_ready_hook server_token_scopes
        ssl_alt_names ssl_alt_names_include_local start_timeout"""),
    ("LocalProcessSpawner", "Spawner", "interrupt_timeout kill_timeout popen_kwargs shell_cmd term_timeout"),
    ("SimpleLocalProcessSpawner", "LocalProcessSpawner", "home_dir_template"),
    ("KubeSpawner", "Spawner", """
        additional_profile_form_template_paths after_pod_created_hook allow_privilege_escalation
        automount_service_account_token common_labels component_label container_security_context delete_grace_period
        delete_pvc delete_stopped_pods dns_name_template enable_user_namespaces events_enabled extra_annotations
        extra_container_config extra_containers extra_labels extra_pod_config extra_resource_guarantees
        extra_resource_limits fs_gid get_pod_url gid handle_legacy_names hub_connect_ip hub_connect_port image
        image_pull_policy image_pull_secrets image_spec init_containers k8s_api_host k8s_api_request_retry_timeout
        k8s_api_request_timeout k8s_api_ssl_ca_cert k8s_api_threadpool_workers k8s_api_verify_ssl lifecycle_hooks
        modify_pod_hook namespace node_affinity_preferred node_affinity_required node_selector
        pod_affinity_preferred pod_affinity_required pod_anti_affinity_preferred pod_anti_affinity_required
        pod_connect_ip pod_name_template pod_security_context priority_class_name privileged profile_form_template
        profile_list pvc_name_template remember_pvc_name scheduler_name secret_mount_path secret_name_template
        service_account services_enabled singleuser_extra_annotations singleuser_extra_container_config
        singleuser_extra_containers singleuser_extra_labels singleuser_extra_pod_config singleuser_fs_gid
        singleuser_image_pull_policy singleuser_image_pull_secrets singleuser_image_spec singleuser_init_containers
        singleuser_node_selector singleuser_privileged singleuser_service_account singleuser_supplemental_gids
        singleuser_uid singleuser_working_dir slow_spawn_message slow_spawn_message_frequency
        slow_spawn_message_threshold slug_scheme storage_access_modes storage_capacity storage_class
        storage_extra_annotations storage_extra_labels storage_pvc_ensure storage_selector supplemental_gids
        tolerations uid user_namespace_annotations user_namespace_labels user_namespace_template
        user_storage_access_modes user_storage_capacity user_storage_class user_storage_extra_labels
        user_storage_pvc_ensure volume_mounts volumes working_dir"""),
    # Made by the chart's extraConfig, of KubeSpawner and this.
    ("BinderSpawnerMixin", "", "auth_enabled cors_allow_origin"),
    ("BinderSpawner", "BinderSpawnerMixin KubeSpawner", ""),
    ("Authenticator", "", """
        admin_users allow_all allow_existing_users allowed_users any_allow_config auth_refresh_age
        auth_refresh_strict auto_login auto_login_oauth2_authorize blocked_users delete_invalid_users
        enable_auth_state manage_groups manage_roles otp_prompt post_auth_hook reconcile_auth_state_hook
        refresh_pre_spawn refresh_pre_stop request_otp reset_managed_roles_on_startup username_map username_pattern
        whitelist"""),
    ("LocalAuthenticator", "Authenticator", "add_user_cmd allowed_groups create_system_users group_whitelist uids"),
    ("PAMAuthenticator", "LocalAuthenticator", """
        admin_groups check_account encoding executor_threads open_sessions pam_normalize_username service"""),
    ("DummyAuthenticator", "Authenticator", "password"),
    ("NullAuthenticator", "Authenticator", ""),
    ("SharedPasswordAuthenticator", "Authenticator", "admin_password password_groups user_password"),
    ("OAuthenticator", "Authenticator", """
        admin_groups allowed_groups allowed_scopes auth_state_groups_key authorize_url basic_auth client_id
        client_secret custom_403_message enable_pkce extra_authorize_params http_request_kwargs login_service
        logout_redirect_url modify_auth_state_hook oauth_callback_url refresh_user_hook scope token_params token_url
        userdata_from_id_token userdata_params userdata_token_method userdata_url username_claim
        validate_server_cert"""),
    ("Auth0OAuthenticator", "OAuthenticator", "allow_unverified_email auth0_domain auth0_subdomain username_key"),
    ("AzureAdOAuthenticator", "OAuthenticator", "graph_url tenant_id user_groups_claim"),
    ("BitbucketOAuthenticator", "OAuthenticator", "allowed_teams team_whitelist"),
    ("CILogonOAuthenticator", "OAuthenticator", """
        additional_username_claims allowed_idps cilogon_host idp idp_whitelist idps shown_idps skin
        strip_idp_domain"""),
    ("GenericOAuthenticator", "OAuthenticator", "claim_groups_key extra_params tls_verify username_key"),
    ("GitHubOAuthenticator", "OAuthenticator", """
        allowed_organizations github_api github_client_id github_client_secret github_organization_whitelist
        github_url populate_teams_in_auth_state"""),
    ("GitLabOAuthenticator", "OAuthenticator", """
        allowed_gitlab_groups allowed_project_ids gitlab_api gitlab_api_version gitlab_group_whitelist
        gitlab_project_id_whitelist gitlab_url"""),
    ("GlobusOAuthenticator", "OAuthenticator", """
        admin_globus_groups allowed_globus_groups exclude_tokens globus_groups_url globus_local_endpoint
        identity_provider revocation_url revoke_tokens_on_logout username_from_email"""),
    ("GoogleOAuthenticator", "OAuthenticator", """
        admin_google_groups allowed_google_groups google_api_url google_group_whitelist google_service_account_keys
        gsuite_administrator hosted_domain include_nested_groups strip_domain"""),
    ("MWOAuthenticator", "OAuthenticator", "executor_threads mw_index_url"),
    ("OpenShiftOAuthenticator", "OAuthenticator", """
        ca_certs openshift_auth_api_url openshift_rest_api_url openshift_url validate_cert"""),
    ("FirstUseAuthenticator", "Authenticator", "check_passwords_on_startup create_users dbm_path min_password_length"),
    ("HMACAuthenticator", "Authenticator", "secret_key"),
    ("LDAPAuthenticator", "Authenticator", """
        allowed_groups attributes auth_state_attributes bind_dn_template escape_userdn group_attributes
        group_search_filter lookup_dn lookup_dn_search_filter lookup_dn_search_password lookup_dn_search_user
        lookup_dn_user_dn_attribute search_filter server_address server_port tls_kwargs tls_strategy
        use_lookup_dn_username use_ssl user_attribute user_search_base valid_username_regex"""),
    ("LTI11Authenticator", "Authenticator", """
        config_description config_icon config_title consumers uri_scheme username_key"""),
    ("LTI13Authenticator", "Authenticator", """
        authorize_url client_id issuer jwks_algorithms jwks_endpoint tool_description tool_name uri_scheme
        username_key"""),
    ("LTI13LaunchValidator", "", "max_age time_leeway"),
    ("NativeAuthenticator", "Authenticator", """
        allow_2fa allow_self_approval_for allowed_failed_logins ask_email_on_signup check_common_password
        delete_firstuse_db_after_import enable_signup firstuse_db_path import_from_firstuse minimum_password_length
        open_signup recaptcha_key recaptcha_secret seconds_before_next_try secret_key self_approval_email
        self_approval_server tos"""),
    ("TmpAuthenticator", "Authenticator", "login_service"),
)  # fmt: skip
_LOCAL: Final = tuple(
    (f"Local{name}", f"LocalAuthenticator {name}", "")
    for name, base, _ in _ROWS_OF_HUB
    if base == "OAuthenticator" and name != "MWOAuthenticator"
)
# Of packages that the chart's image does not have, but somebody's own image may: their traits are theirs to check.
_NAMES_OF_HUB: Final = (
    "CASAuthenticator", "CASLocalAuthenticator", "JSONWebTokenAuthenticator", "JSONWebTokenLocalAuthenticator",
    "KerberosAuthenticator", "KerberosLocalAuthenticator", "MultiAuthenticator", "RemoteUserAuthenticator",
    "RemoteUserLocalAuthenticator", "SAMLAuthenticator", "TraefikProxy", "WrapSpawner",
)  # fmt: skip


def _table(rows: Iterable[Row], names: Iterable[str] = ()) -> Table:
    """Return what may stand in the section of each class; of `names`, nothing is known: an empty set.

    An object reads the sections of all its classes: `Authenticator.client_id` reaches an OAuthenticator. So a section
    takes the traits of the classes below it, too, with all that these have from elsewhere.
    """
    whole: dict[str, frozenset[str]] = {}
    above: dict[str, frozenset[str]] = {}
    for name, bases, own in rows:
        whole[name] = frozenset(own.split()).union(*(whole[base] for base in bases.split()))
        above[name] = frozenset([name]).union(*(above[base] for base in bases.split()))
    taken = {name: frozenset().union(*(whole[one] for one in whole if name in above[one])) for name in whole}
    return {**dict.fromkeys(names, frozenset[str]()), **taken}


BINDERHUB: Final = _table(_ROWS_OF_BINDER)
HUB: Final = _table((*_ROWS_OF_HUB, *_LOCAL), _NAMES_OF_HUB)


@dataclass(frozen=True)
class _Part:
    """Where classes stand in the values, which may, where those of the other application do, and what is given."""

    place: str
    classes: Table
    other_place: str
    other_classes: Table
    given: Mapping[Any, Any]

    def meant(self, name: Any) -> str:
        """Return the class that a name is or, if it is none, most likely was to be; "" if there is none."""
        if name in self.classes:
            return str(name)
        return "" if name in self.other_classes else _near(name, self.classes)


def problems(values: Mapping[str, Any], own_names: bool = False) -> Iterator[Finding]:
    """Yield what is wrong under `config` and `jupyterhub.hub.config`, as (place, what is expected, example).

    `values` are Helm values of the BinderHub chart. Wrong are unknown classes, traits that look misspelt or are classes
    one level too deep, and what is no map where a class's traits belong. With `own_names`, names are let pass.
    """
    for part in _parts(values):
        for name, traits in part.given.items():
            place = f"{part.place}.{name}"
            if name not in part.classes and not own_names:
                yield _unknown_class(part, name)
            elif not isinstance(traits, Mapping):
                yield place, f"a map of the traits of {name}", f"{place}: {{trait: value}}"
            if not own_names:
                yield from _misspelt_traits(part, name, traits)


def doubts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each trait that is not known and looks like none that is: a newer application may have it.

    As (place, another class that has a trait of that name, or "").
    """
    for part in _parts(values):
        rows = _ROWS_OF_BINDER if part.classes is BINDERHUB else _ROWS_OF_HUB
        for name, traits in part.given.items():
            for trait, meant in strangers(part.classes, name, traits):
                if not meant:
                    owner = next((one for one, _, own in rows if trait in own.split()), "")
                    yield f"{part.place}.{name}.{trait}", owner


def strangers(classes: Table, name: str, traits: Any) -> Iterator[tuple[Any, str]]:
    """Yield each of `traits` that a class does not know, with the trait or the class that it was to be, or "".

    Nothing is yielded of a class whose traits are not known, nor if `traits` is no map.
    """
    known = classes.get(name, frozenset[str]())
    for trait in traits if known and isinstance(traits, Mapping) else ():
        if trait in classes:
            yield trait, trait
        elif trait not in known:
            instead = _GONE.get(trait, "")
            yield trait, instead if instead in known else _near(trait, known)


def _parts(values: Mapping[str, Any]) -> Iterator[_Part]:
    of_binder, of_hub = ("config", BINDERHUB), ("jupyterhub.hub.config", HUB)
    for (place, classes), other in ((of_binder, of_hub), (of_hub, of_binder)):
        found: Any = values
        for step in place.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            yield _Part(place, classes, *other, found)


def _near(name: object, known: Iterable[str]) -> str:
    """Return the known name that is most like this one, whatever its case; "" if none is much like it."""
    by_case = {one.lower(): one for one in known}
    close = difflib.get_close_matches(str(name).lower(), by_case, 1, _ALIKE)
    return by_case[close[0]] if close else ""


def _unknown_class(part: _Part, name: Any) -> Finding:
    place = f"{part.place}.{name}"
    if name in part.other_classes:
        right = f"{part.other_place}.{name}"
        return _misspelt(place, right, right)
    if near := part.meant(name):
        return _misspelt(place, near, f"{part.place}.{near}")
    expected = "a class that the application has; it is silent about any other"
    return place, f"{expected}. Is it your own, from extraConfig? Then say so", WAY_OUT


def _misspelt_traits(part: _Part, name: Any, traits: Any) -> Iterator[Finding]:
    known = part.meant(name)
    for trait, meant in strangers(part.classes, known, traits):
        place = f"{part.place}.{name}.{trait}"
        if meant in part.classes:
            yield _misspelt(place, f"{part.place}.{meant}", f"{part.place}.{meant}")
        elif meant:
            yield _misspelt(place, meant, f"{part.place}.{known}.{meant}")


def _misspelt(place: str, meant: str, right: str) -> Finding:
    expected = f"a name that the application knows; did you mean {meant}?"
    return place, expected, f"{right}: ...\n      or, for one of your own: {WAY_OUT}"
