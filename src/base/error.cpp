// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/log.h"

namespace brickgate {

namespace {

using enum ErrorCode;

constexpr std::size_t detail_read_max = 4096;  // more of somebody's text is not looked at

// The one table. Its order is the enumeration's, which is checked below.
constexpr auto table = std::to_array<ErrorInfo>({
    {invalid_request, "invalid_request", 400, Retry::never,
     "Compare the request with /openapi.yaml; the message names the parameter."},
    {unauthorized, "unauthorized", 401, Retry::never,
     "Send Authorization: Bearer bg_...; make a key with brickgate api-keys create."},
    {forbidden, "forbidden", 403, Retry::never,
     "Make a key with that right; the message names it."},
    {not_found, "not_found", 404, Retry::never,
     "Check the path; routes are listed in /openapi.yaml."},
    {method_not_allowed, "method_not_allowed", 405, Retry::never,
     "Use a method from the Allow header."},
    {request_too_large, "request_too_large", 413, Retry::never,
     "Send less; the API takes small JSON bodies only."},
    {uri_too_long, "uri_too_long", 414, Retry::never, "Send fewer or shorter parameters."},
    {headers_too_large, "headers_too_large", 431, Retry::never,
     "Often too many cookies: clear those of this site."},
    {rate_limited, "rate_limited", 429, Retry::later, "Wait for as long as Retry-After says."},
    {prefetch_refused, "prefetch_refused", 503, Retry::later,
     "Nothing to do: the real visit works."},
    {unsupported_media_type, "unsupported_media_type", 415, Retry::never,
     "Send Content-Type: application/json."},
    {misdirected_request, "misdirected_request", 421, Retry::never,
     "Use the gateway's own address; the operator lists further names under server.names."},
    {key_in_url, "key_in_url", 400, Retry::never,
     "Send Authorization: Bearer; revoke the key that stood in the address, for addresses are "
     "logged."},
    {browser_refused, "browser_refused", 403, Retry::never,
     "Programs only: call it without Origin and Sec-Fetch-* headers."},
    {overloaded, "overloaded", 503, Retry::later, "Wait for as long as Retry-After says."},
    {path_rejected, "path_rejected", 400, Retry::never,
     "Send the path as Databricks documents it: below /api/, /sql/ or /serving-endpoints/, without "
     "dot segments or odd escapes."},
    {capability_denied, "capability_denied", 403, Retry::never,
     "Make a capability with that method or path; the message names it."},
    {metadata_version_unsupported, "metadata_version_unsupported", 400, Retry::never,
     "Send X-Databricks-Metadata-Version: 1, as Databricks' SDKs do."},
    {metadata_host_mismatch, "metadata_host_mismatch", 400, Retry::never,
     "Set DATABRICKS_HOST to the workspace of the capability."},
    {host_required, "host_required", 400, Retry::sign_in_again,
     "Set DATABRICKS_HOST or add ?workspace=."},
    {host_denied, "host_denied", 400, Retry::after_fix,
     "Copy the address from the workspace's address bar. The operator lists further hosts under "
     "databricks.hosts."},
    {scope_denied, "scope_denied", 422, Retry::after_fix, "Ask for a subset of databricks.scopes."},
    {return_to_denied, "return_to_denied", 400, Retry::never, "List it under app.return_to."},
    {too_many_logins, "too_many_logins", 429, Retry::later,
     "Try again in some minutes; unfinished ones end after ten."},
    {param_duplicate, "param_duplicate", 400, Retry::sign_in_again,
     "Start again. If it repeats, something between browser and gateway rewrites addresses."},
    {param_invalid, "param_invalid", 400, Retry::sign_in_again, "Start again from the app."},
    {cookie_duplicate, "cookie_duplicate", 400, Retry::sign_in_again,
     "Clear the cookies of this site and start again."},
    {state_missing, "state_missing", 400, Retry::sign_in_again,
     "Start again from the app, not from a bookmark."},
    {state_unknown, "state_unknown", 400, Retry::sign_in_again, "Start again from the app."},
    {state_cookie_missing, "state_cookie_missing", 403, Retry::sign_in_again,
     "Start and finish in the same browser; do not forward sign-in links."},
    {login_expired, "login_expired", 400, Retry::sign_in_again, "Start again."},
    {iss_mismatch, "iss_mismatch", 403, Retry::sign_in_again,
     "Start again; if it repeats, tell the operator: this is how a mix-up attack looks."},
    {iss_missing, "iss_missing", 403, Retry::sign_in_again,
     "Start again; if it repeats, tell the operator: the workspace breaks its own promise."},
    {ctx_mismatch, "ctx_mismatch", 403, Retry::sign_in_again, "Start again."},
    {access_denied, "access_denied", 403, Retry::sign_in_again,
     "Try again if it was a slip; else ask the workspace's admin."},
    {authorize_failed, "authorize_failed", 502, Retry::sign_in_again,
     "Try again later; the operator's log has Databricks' words."},
    {code_rejected, "code_rejected", 502, Retry::sign_in_again, "Start again."},
    {scope_escalation, "scope_escalation", 502, Retry::after_fix,
     "The operator compares the app's scopes in the account console with databricks.scopes."},
    {identity_changed, "identity_changed", 409, Retry::sign_in_again,
     "Sign in as the person the connection was made for."},
    {result_gone, "result_gone", 404, Retry::never, "The outcome stands; look at the app."},
    {discovery_failed, "discovery_failed", 502, Retry::later,
     "Check the host; try brickgate doctor."},
    {metadata_endpoint_denied, "metadata_endpoint_denied", 422, Retry::after_fix,
     "Do not use this host; if it is your own, list it and its endpoints explicitly."},
    {metadata_invalid, "metadata_invalid", 422, Retry::after_fix, "Check the host."},
    {pkce_unsupported, "pkce_unsupported", 422, Retry::after_fix,
     "None on our side: there is no switch to go without."},
    {oauth_unsupported, "oauth_unsupported", 422, Retry::after_fix, "Check the host."},
    {id_token_missing, "id_token_missing", 502, Retry::after_fix,
     "Allow the scope openid in the account console, or do not ask for it."},
    {id_token_malformed, "id_token_malformed", 502, Retry::after_fix, "Tell the operator."},
    {id_token_alg, "id_token_alg", 502, Retry::after_fix,
     "Tell the operator: Databricks signs with RS256, so something else answered."},
    {id_token_signature, "id_token_signature", 502, Retry::after_fix,
     "Tell the operator; nothing of this sign-in was kept."},
    {id_token_key_unknown, "id_token_key_unknown", 502, Retry::later,
     "Try again in a minute: keys may have just been changed."},
    {id_token_issuer, "id_token_issuer", 502, Retry::after_fix, "Tell the operator."},
    {id_token_audience, "id_token_audience", 502, Retry::after_fix, "Check CLIENT_ID."},
    {id_token_nonce, "id_token_nonce", 502, Retry::sign_in_again,
     "Start again; if it repeats, tell the operator."},
    {id_token_expired, "id_token_expired", 502, Retry::after_fix, "Check the gateway's clock."},
    {id_token_time, "id_token_time", 502, Retry::after_fix, "Check the gateway's clock."},
    {jwks_invalid, "jwks_invalid", 502, Retry::later, "Try again later; tell the operator."},
    {token_malformed, "token_malformed", 502, Retry::later,
     "The gateway keeps it and tries again; see explain."},
    {token_duplicate_key, "token_duplicate_key", 502, Retry::after_fix,
     "Tell the operator: something between gateway and workspace rewrites answers."},
    {token_type_unknown, "token_type_unknown", 502, Retry::after_fix,
     "Tell the operator: such a token cannot be used."},
    {token_too_large, "token_too_large", 502, Retry::after_fix,
     "Tell the operator; what was sent is not a token answer of Databricks."},
    {invalid_grant, "invalid_grant", 502, Retry::sign_in_again, "The person signs in again."},
    {invalid_client, "invalid_client", 502, Retry::after_fix,
     "Check CLIENT_ID and CLIENT_SECRET. Right after an app was made this may pass by itself."},
    {unauthorized_client, "unauthorized_client", 502, Retry::after_fix,
     "Check the app in the account console."},
    {unsupported_grant_type, "unsupported_grant_type", 502, Retry::after_fix,
     "Check the token endpoint."},
    {invalid_scope, "invalid_scope", 502, Retry::after_fix,
     "Compare databricks.scopes with the app's scopes."},
    {server_error, "server_error", 502, Retry::later,
     "For a sign-in: start again. For a refresh: the gateway tries again when that can do no "
     "harm."},
    {temporarily_unavailable, "temporarily_unavailable", 503, Retry::later,
     "For a sign-in: start again in a minute. For a refresh: the gateway tries again by itself."},
    {host_misconfigured, "host_misconfigured", 502, Retry::after_fix,
     "Check the host; credentials are never sent after a redirect."},
    {host_blocked, "host_blocked", 503, Retry::later,
     "Add the gateway's outgoing address to the workspace's IP access list."},
    {upstream_unreachable, "upstream_unreachable", 502, Retry::later,
     "Check name, network and firewall; the gateway tries again."},
    {upstream_timeout, "upstream_timeout", 504, Retry::later,
     "Check network and firewall; the gateway tries again."},
    {upstream_malformed, "upstream_malformed", 502, Retry::later,
     "Check host and proxy; the gateway tries again."},
    {outcome_unknown, "outcome_unknown", 502, Retry::later,
     "For a sign-in: start again. For a refresh: the gateway tries once more when that can do no "
     "harm."},
    {egress_denied, "egress_denied", 502, Retry::after_fix,
     "For private link: list the network under databricks.allowed_networks."},
    {tls_failed, "tls_failed", 502, Retry::after_fix,
     "For an own authority: tls.ca_file. Verification cannot be switched off."},
    {request_aborted, "request_aborted", 502, Retry::later, "Nothing to do."},
    {connection_unknown, "connection_unknown", 404, Retry::never,
     "List them with GET /v1/connections."},
    {connection_pending, "connection_pending", 409, Retry::sign_in_again,
     "Send the person through /auth."},
    {reauth_required, "reauth_required", 409, Retry::sign_in_again,
     "Send the person through /auth again; the id stays."},
    {refresh_pending, "refresh_pending", 503, Retry::later, "Ask again after Retry-After."},
    {refresh_failed, "refresh_failed", 502, Retry::later, "See explain."},
    {session_only, "session_only", 409, Retry::sign_in_again,
     "Allow and ask for offline_access, then sign in again."},
    {quarantined, "quarantined", 409, Retry::after_fix, "See docs/operations.md, Restore."},
    {disconnected, "disconnected", 410, Retry::sign_in_again, "Sign in again."},
    {app_fault, "app_fault", 503, Retry::after_fix,
     "Mend the registration and restart; see explain."},
    {store_unavailable, "store_unavailable", 503, Retry::later, "Check disk and data folder."},
    {store_conflict, "store_conflict", 409, Retry::later, "Try again."},
    {lease_lost, "lease_lost", 502, Retry::later, "Nothing to do."},
    {spool_full, "spool_full", 503, Retry::later, "Free disk space."},
    {vault_error, "vault_error", 500, Retry::after_fix,
     "The record was changed or damaged; restore it or sign in again."},
    {vault_unknown_key, "vault_unknown_key", 500, Retry::after_fix, "Restore the key ring."},
    {key_in_use, "key_in_use", 409, Retry::after_fix,
     "brickgate keys list says what still needs the key."},
    {keyring_invalid, "keyring_invalid", 500, Retry::after_fix,
     "Use the right root key; the message names the ids."},
    {root_key_invalid, "root_key_invalid", 500, Retry::after_fix,
     "Check the file and its mode (0400)."},
    {data_folder_invalid, "data_folder_invalid", 500, Retry::after_fix,
     "chmod 700, or another folder."},
    {backup_invalid, "backup_invalid", 500, Retry::after_fix,
     "Take another backup; this one is not whole."},
    {in_use, "in_use", 503, Retry::later, "Stop it; the message names its process id."},
    {address_in_use, "address_in_use", 500, Retry::after_fix,
     "Stop the other program or choose another port; the redirect URI must change with it."},
    {config_invalid, "config_invalid", 500, Retry::after_fix,
     "The message names the setting and its source."},
    {shutting_down, "shutting_down", 503, Retry::later, "Try again in a moment."},
    {internal, "internal", 500, Retry::after_fix,
     "Please report it with the log line that has the same code."},
});

constexpr bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (static_cast<std::size_t>(table[i].code) != i) {
            return false;
        }
    }
    return table.size() == static_cast<std::size_t>(internal) + 1;
}
static_assert(in_order(), "a row for every code, in the order of the enumeration");

}  // namespace

ErrorInfo const& info_of(ErrorCode code) {
    return table[static_cast<std::size_t>(code)];
}

std::span<ErrorInfo const> all_error_codes() {
    return table;
}

std::optional<ErrorCode> error_code_from(std::string_view name) {
    auto const* const found = std::ranges::find(table, name, &ErrorInfo::name);
    if (found == table.end()) {
        return std::nullopt;
    }
    return found->code;
}

Error::Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

Error&& Error::with_detail(std::string_view untrusted) && {
    // Cleaned first, or an invisible character inside a token would hide it from redact().
    detail_ = clean_text(redact(clean_text(untrusted, detail_read_max)));
    return std::move(*this);
}

Error&& Error::with_hint(std::string hint) && {
    hint_ = std::move(hint);
    return std::move(*this);
}

Error&& Error::with_reason(std::string_view reason) && {
    reason_ = reason;
    return std::move(*this);
}

Error&& Error::with_retry_after(std::chrono::seconds wait) && {
    retry_after_ = wait;
    return std::move(*this);
}

}  // namespace brickgate
