// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rows and transactions; knows nothing of OAuth or keys. Everything inside transact() commits or
// nothing does; a job that fails is undone alone even where several share one commit. Blocking:
// only StoreRunner calls it, from one thread. memory_store is the reference, sqlite_store the
// product; both pass tests/unit/vault/store_conformance.h. Errors: store_unavailable,
// store_conflict.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "vault/connection.h"

namespace brickgate {

// One attempt to sign in, from /auth to /callback. Found by SHA-256 of the state, taken once (T01,
// T04).
struct LoginRow {
    std::string state_hash;   // 32 bytes
    std::string cookie_hash;  // 32 bytes
    RegistrationId registration;
    std::string workspace;     // WorkspaceHost::origin()
    std::string workspace_id;  // Connection::workspace_id
    Issuer issuer;
    std::string token_endpoint;
    std::string jwks_uri;
    bool iss_required = false;
    std::string redirect_uri;
    std::string scopes;
    std::string subject;
    std::string return_to;  // empty: our own result page
    std::string sealed;     // verifier and nonce, record v1
    Time created_at{};
    Time expires_at{};
};

struct ApiKeyRow {
    std::string id;  // 16 hex digits
    std::string tenant;
    std::string name;
    std::string rights;  // comma separated, sorted
    std::optional<Time> not_after;
    std::string mac;  // C.5: keyed BLAKE2b over id, tenant, rights, not_after, secret
    Time created_at{};
    std::optional<Time> revoked_at = {};
    std::optional<Time> leaked_at = {};  // it stood in an address (T49)
};

struct CapabilityRow {
    std::string id;  // 16 hex digits
    ConnectionId connection;
    std::string name;
    std::string methods;  // comma separated, sorted; empty: any
    std::string paths;    // one a line, sorted; empty: any
    std::optional<Time> not_after;
    std::string mac;  // C.5: keyed BLAKE2b over all of the above but the name, and the secret
    Time created_at{};
    std::optional<Time> revoked_at = {};
    std::optional<Time> leaked_at = {};
};

struct KeyRow {  // C.4
    std::uint32_t id = 0;
    std::string purpose;
    std::string state;  // pending | active | decrypt_only | destroyed
    std::uint32_t root_id = 0;
    std::string wrapped;
    std::string commitment;
    Time created_at{};
};

// Records that name one data key, by what they hold.
struct SealedCounts {
    std::uint64_t access_tokens = 0;
    std::uint64_t refresh_tokens = 0;
    std::uint64_t alternatives = 0;  // refresh tokens kept aside
    std::uint64_t logins = 0;
    std::uint64_t all() const { return access_tokens + refresh_tokens + alternatives + logins; }
};

struct EventRow {           // what happened, told once; the outbox of later
    std::uint64_t seq = 0;  // given by the store
    Time at{};
    std::string type;        // dotted, e.g. connection.reauth_required
    std::string connection;  // may be empty
    std::string data;        // JSON, redacted by construction
};

struct ClaimRequest {  // D.5 T1
    ConnectionId id;
    std::uint64_t family = 0;
    std::uint64_t generation = 0;
    std::string node;
    std::string boot;
    std::string attempt;
    Time now{};
    Milliseconds lease{};
};

struct TokenSave {  // D.5 T4
    ConnectionId id;
    std::uint64_t family = 0;
    std::uint64_t generation = 0;  // expected; the row goes to generation + 1
    std::string attempt;
    std::string sealed_access;
    std::string sealed_refresh;
    std::string fingerprint;
    std::string token_type;
    std::optional<std::string> scopes;
    Time access_issued_at{};
    Time access_expires_at{};
    std::optional<Time> refresh_expires_at;
    std::optional<Time> refresh_due_at;
    bool same_refresh_token = false;
    Time now{};
};
enum class SaveOutcome : std::uint8_t { saved, already_saved, superseded, family_changed, gone };

struct Fence {  // who may write a failure: this generation, epoch and own attempt
    ConnectionId id;
    std::uint64_t family = 0;
    std::uint64_t generation = 0;
    std::uint64_t epoch = 0;
    std::string node;
    std::string attempt;
};

enum class Spent : std::uint8_t { no, maybe };  // may the refresh token have reached the server?

struct BackOff {
    Spent spent =
        Spent::no;  // no: this presentation is uncounted, the intent cleared if it was the first
    std::optional<Time> next_attempt_at;
    std::string last_error;
    std::optional<ConnectionState>
        state;  // host_blocked; else active or uncertain follow from the intent
    Time now{};
    // false: no fault of this connection (D.7, app_fault). Intent and lease are cleared, the rest
    // stays, and it may go first when the fault is mended.
    bool counts = true;
};

struct ConnectionFilter {
    std::optional<std::string> subject;
    std::optional<std::string> workspace;
    std::optional<ConnectionState> state;
    std::string after;  // cursor: the last id of the page before
    std::size_t limit = 100;
};

// Which due refreshes a scan is for.
struct DueQuery {
    Time now{};
    std::size_t limit = 0;
    // Whose door is closed, or that have enough to do.
    std::vector<std::string> but_workspaces = {};
    std::optional<std::vector<RegistrationId>> registrations = {};  // only of these; nullopt: any
};

// An outage is over: what it left overdue is not to come all at once (D.9).
struct Spread {
    Time now{};
    Time overdue_since{};  // due at that moment or before
    Milliseconds over_most{};
    std::optional<std::string> workspace;        // nullopt: all
    std::optional<RegistrationId> registration;  // likewise
};

class StoreTransaction {
 public:
    virtual ~StoreTransaction() = default;

    virtual Result<void> insert_login(LoginRow const& row) = 0;
    virtual Result<std::optional<LoginRow>> take_login(
        std::string const& state_hash) = 0;  // deletes it
    virtual Result<std::size_t> count_logins() = 0;
    virtual Result<std::size_t> delete_logins_expired_before(Time now) = 0;

    virtual Result<void> insert_connection(Connection const& row) = 0;
    virtual Result<std::optional<Connection>> find_connection(ConnectionId const& id) = 0;
    // The one of the same registration, workspace, person and subject. Disconnected ones are not
    // found.
    virtual Result<std::optional<Connection>> find_connection_of(Connection const& wanted) = 0;
    virtual Result<std::vector<Connection>> list_connections(ConnectionFilter const& filter) = 0;
    // Due refreshes in claimable states, those with the least life left first; next_attempt_at is
    // respected.
    virtual Result<std::vector<Connection>> due_connections(DueQuery const& query) = 0;
    virtual Result<std::optional<Time>> next_due_at() = 0;
    // Makes overdue refreshes due over the time given, or over half of the life left if that is
    // less; what is over is due now. How many were moved.
    virtual Result<std::size_t> spread_overdue(Spread const& spread) = 0;
    virtual Result<std::vector<Connection>> connections_with_intent_of(std::string const& node) = 0;
    // Re-consent: a new family with new tokens replaces the row's, whatever state it was in.
    virtual Result<bool> replace_family(Connection const& row, std::uint64_t family_expected) = 0;
    // Wipes the sealed tokens and revokes the connection's capabilities.
    virtual Result<bool> disconnect(ConnectionId const& id, Time now) = 0;

    virtual Result<std::optional<Connection>> claim(
        ClaimRequest const& request) = 0;  // the row after the claim
    virtual Result<SaveOutcome> save_tokens(TokenSave const& save) = 0;
    virtual Result<bool> keep_alt_refresh(ConnectionId const& id, std::uint64_t family,
                                          std::string const& sealed) = 0;
    // alt_refresh becomes the current one as a new generation, for which the caller resealed both
    // tokens (D.5 T5). It is due at once. An empty access token is over as of now.
    virtual Result<bool> promote_alt_refresh(Fence const& fence, std::string const& resealed_access,
                                             std::string const& resealed_refresh, Time now) = 0;
    virtual Result<bool> back_off(Fence const& fence, BackOff const& back_off) = 0;
    virtual Result<bool> fail_fenced(Fence const& fence, ReauthReason reason,
                                     std::string const& last_error, Time now) = 0;
    virtual Result<bool> set_state(ConnectionId const& id, std::uint64_t family,
                                   ConnectionState state, ReauthReason reason, Time now) = 0;
    // Every connection that could go on by itself, for what it holds may be out of date (D.4).
    virtual Result<std::size_t> quarantine_all(Time now) = 0;
    // A quarantine's end: back to active, where the next refresh proves it. The reason stays until
    // then.
    virtual Result<bool> end_quarantine(ConnectionId const& id, Time now) = 0;
    virtual Result<std::vector<std::pair<std::string, std::uint64_t>>> count_by_state() = 0;

    virtual Result<void> insert_api_key(ApiKeyRow const& row) = 0;
    virtual Result<std::optional<ApiKeyRow>> find_api_key(std::string const& id) = 0;
    virtual Result<std::vector<ApiKeyRow>> list_api_keys() = 0;
    virtual Result<bool> revoke_api_key(std::string const& id, Time now) = 0;
    virtual Result<bool> mark_api_key_leaked(std::string const& id, Time now) = 0;

    virtual Result<void> insert_capability(CapabilityRow const& row) = 0;
    virtual Result<std::vector<CapabilityRow>> list_capabilities() = 0;  // oldest first
    virtual Result<bool> revoke_capability(std::string const& id, Time now) = 0;
    virtual Result<bool> mark_capability_leaked(std::string const& id, Time now) = 0;
    // Those whose life or revocation lies before it.
    virtual Result<std::size_t> delete_capabilities_ended_before(Time moment) = 0;

    virtual Result<std::vector<KeyRow>> list_keys() = 0;
    virtual Result<void> put_key(KeyRow const& row) = 0;  // inserts or replaces
    virtual Result<SealedCounts> count_sealed_under(std::uint32_t key_id) = 0;
    // Rows with a record that names the key, in the order of their ids, after the one given.
    virtual Result<std::vector<Connection>> connections_sealed_under(std::uint32_t key_id,
                                                                     ConnectionId const& after,
                                                                     std::size_t limit) = 0;
    virtual Result<std::vector<LoginRow>> logins_sealed_under(std::uint32_t key_id,
                                                              std::size_t limit) = 0;
    // The records of `resealed` in the place of those of `found`, if they are still what was found.
    virtual Result<bool> reseal_connection(Connection const& found, Connection const& resealed) = 0;
    virtual Result<bool> reseal_login(LoginRow const& found, std::string const& sealed) = 0;
    // What this transaction overwrites or deletes is to be in no file once it is committed.
    virtual void leave_no_trace() = 0;

    virtual Result<std::optional<std::string>> get_meta(std::string const& name) = 0;
    virtual Result<void> put_meta(std::string const& name, std::string const& value) = 0;

    virtual Result<void> append_event(EventRow const& row) = 0;
    virtual Result<std::vector<EventRow>> events_of(ConnectionId const& id,
                                                    std::size_t limit) = 0;  // newest first
};

using StoreJob = std::function<Result<void>(StoreTransaction&)>;

class Store {
 public:
    virtual ~Store() = default;
    // Runs the jobs in order in one durable commit. One result a job: a failed job is rolled back
    // alone; a failed commit fails them all with store_unavailable.
    virtual std::vector<Result<void>> transact(std::span<StoreJob const> jobs) = 0;
    Result<void> transact_one(StoreJob const& job) {
        return std::move(transact({&job, 1}).front());
    }
};

}  // namespace brickgate
