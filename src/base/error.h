// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can go wrong, as values. An Error has three audiences: machines read code(), people read
// message() and hint() (both ours, safe to show), operators read detail() (theirs: escaped and
// cut). HTTP status, retry class and hint of each code stand in one table, error.cpp;
// docs/errors.md has one anchor per code. Values; any thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace brickgate {

// Wire names are the enumerators' spelling. Add a code here and its row in error.cpp, in the same
// order, and its section in docs/errors.md.
enum class ErrorCode : std::uint8_t {
    // requests to us
    invalid_request,
    unauthorized,
    forbidden,
    not_found,
    method_not_allowed,
    request_too_large,
    uri_too_long,
    headers_too_large,
    rate_limited,
    prefetch_refused,
    unsupported_media_type,
    misdirected_request,
    key_in_url,
    browser_refused,
    overloaded,
    path_rejected,
    capability_denied,
    metadata_version_unsupported,
    metadata_host_mismatch,
    // login and callback
    host_required,
    host_denied,
    scope_denied,
    return_to_denied,
    too_many_logins,
    param_duplicate,
    param_invalid,
    cookie_duplicate,
    state_missing,
    state_unknown,
    state_cookie_missing,
    login_expired,
    iss_mismatch,
    iss_missing,
    ctx_mismatch,
    access_denied,
    authorize_failed,
    code_rejected,
    scope_escalation,
    identity_changed,
    result_gone,
    // the authorization server
    discovery_failed,
    metadata_endpoint_denied,
    metadata_invalid,
    pkce_unsupported,
    oauth_unsupported,
    id_token_missing,
    id_token_malformed,
    id_token_alg,
    id_token_signature,
    id_token_key_unknown,
    id_token_issuer,
    id_token_audience,
    id_token_nonce,
    id_token_expired,
    id_token_time,
    jwks_invalid,
    token_malformed,
    token_duplicate_key,
    token_type_unknown,
    token_too_large,
    invalid_grant,
    invalid_client,
    unauthorized_client,
    unsupported_grant_type,
    invalid_scope,
    server_error,
    temporarily_unavailable,
    host_misconfigured,
    host_blocked,
    // the way there
    upstream_unreachable,
    upstream_timeout,
    upstream_malformed,
    outcome_unknown,
    egress_denied,
    tls_failed,
    request_aborted,
    // connections and tokens
    connection_unknown,
    connection_pending,
    reauth_required,
    refresh_pending,
    refresh_failed,
    session_only,
    quarantined,
    disconnected,
    app_fault,
    // ourselves
    store_unavailable,
    store_conflict,
    lease_lost,
    spool_full,
    vault_error,
    vault_unknown_key,
    key_in_use,
    keyring_invalid,
    root_key_invalid,
    data_folder_invalid,
    backup_invalid,
    in_use,
    address_in_use,
    config_invalid,
    shutting_down,
    internal,
};

enum class Retry : std::uint8_t { never, later, after_fix, sign_in_again };

struct ErrorInfo {
    ErrorCode code;
    std::string_view name;
    int http_status;
    Retry retry;
    std::string_view hint;
};

ErrorInfo const& info_of(ErrorCode code);
std::span<ErrorInfo const> all_error_codes();
std::optional<ErrorCode> error_code_from(std::string_view name);

class Error {
 public:
    Error(ErrorCode code, std::string message);
    // Somebody else's words: control characters, invalid UTF-8 and what looks like a token removed,
    // cut to 200 bytes. Operators only.
    Error&& with_detail(std::string_view untrusted) &&;
    Error&& with_hint(std::string hint) &&;
    Error&& with_retry_after(std::chrono::seconds wait) &&;
    // Which of the code's causes it was, in a word for machines (of reauth_required: `revoked`,
    // ...).
    Error&& with_reason(std::string_view reason) &&;

    ErrorCode code() const { return code_; }
    std::string_view name() const { return info_of(code_).name; }
    std::string const& message() const { return message_; }
    std::string const& detail() const { return detail_; }
    std::string_view hint() const { return hint_.empty() ? info_of(code_).hint : hint_; }
    int http_status() const { return info_of(code_).http_status; }
    Retry retry() const { return info_of(code_).retry; }
    std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }
    std::string const& reason() const { return reason_; }

 private:
    ErrorCode code_;
    std::string message_;
    std::string detail_;
    std::string hint_;
    std::string reason_;
    std::optional<std::chrono::seconds> retry_after_;
};

}  // namespace brickgate
