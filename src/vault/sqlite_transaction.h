// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rows of Store in SQLite's words: every method is one statement, the claim and the save above
// all, so that their predicate and their change cannot come apart. Private to sqlite_store.
#include "vault/sqlite.h"
#include "vault/store.h"

namespace brickgate {

class SqliteTransaction final : public StoreTransaction {
 public:
    explicit SqliteTransaction(sqlite::Database& database) : database_(database) {}
    bool claimed() const { return claimed_; }  // for the crash tests
    bool saved() const { return saved_; }
    bool traceless() const { return traceless_; }

    Result<void> insert_login(LoginRow const& row) override;
    Result<std::optional<LoginRow>> take_login(std::string const& state_hash) override;
    Result<std::size_t> count_logins() override;
    Result<std::size_t> delete_logins_expired_before(Time now) override;

    Result<void> insert_connection(Connection const& row) override;
    Result<std::optional<Connection>> find_connection(ConnectionId const& id) override;
    Result<std::optional<Connection>> find_connection_of(Connection const& wanted) override;
    Result<std::vector<Connection>> list_connections(ConnectionFilter const& filter) override;
    Result<std::vector<Connection>> due_connections(DueQuery const& query) override;
    Result<std::optional<Time>> next_due_at() override;
    Result<std::size_t> spread_overdue(Spread const& spread) override;
    Result<std::vector<Connection>> connections_with_intent_of(std::string const& node) override;
    Result<bool> replace_family(Connection const& row, std::uint64_t family_expected) override;
    Result<bool> disconnect(ConnectionId const& id, Time now) override;

    Result<std::optional<Connection>> claim(ClaimRequest const& request) override;
    Result<SaveOutcome> save_tokens(TokenSave const& save) override;
    Result<bool> keep_alt_refresh(ConnectionId const& id, std::uint64_t family,
                                  std::string const& sealed) override;
    Result<bool> promote_alt_refresh(Fence const& fence, std::string const& resealed_access,
                                     std::string const& resealed_refresh, Time now) override;
    Result<bool> back_off(Fence const& fence, BackOff const& back_off) override;
    Result<bool> fail_fenced(Fence const& fence, ReauthReason reason, std::string const& last_error,
                             Time now) override;
    Result<bool> set_state(ConnectionId const& id, std::uint64_t family, ConnectionState state,
                           ReauthReason reason, Time now) override;
    Result<std::size_t> quarantine_all(Time now) override;
    Result<bool> end_quarantine(ConnectionId const& id, Time now) override;
    Result<std::vector<std::pair<std::string, std::uint64_t>>> count_by_state() override;

    Result<void> insert_api_key(ApiKeyRow const& row) override;
    Result<std::optional<ApiKeyRow>> find_api_key(std::string const& id) override;
    Result<std::vector<ApiKeyRow>> list_api_keys() override;
    Result<bool> revoke_api_key(std::string const& id, Time now) override;
    Result<bool> mark_api_key_leaked(std::string const& id, Time now) override;

    Result<void> insert_capability(CapabilityRow const& row) override;
    Result<std::vector<CapabilityRow>> list_capabilities() override;
    Result<bool> revoke_capability(std::string const& id, Time now) override;
    Result<bool> mark_capability_leaked(std::string const& id, Time now) override;
    Result<std::size_t> delete_capabilities_ended_before(Time moment) override;

    Result<std::vector<KeyRow>> list_keys() override;
    Result<void> put_key(KeyRow const& row) override;
    Result<SealedCounts> count_sealed_under(std::uint32_t key_id) override;
    Result<std::vector<Connection>> connections_sealed_under(std::uint32_t key_id,
                                                             ConnectionId const& after,
                                                             std::size_t limit) override;
    Result<std::vector<LoginRow>> logins_sealed_under(std::uint32_t key_id,
                                                      std::size_t limit) override;
    Result<bool> reseal_connection(Connection const& found, Connection const& resealed) override;
    Result<bool> reseal_login(LoginRow const& found, std::string const& sealed) override;
    void leave_no_trace() override { traceless_ = true; }
    Result<std::optional<std::string>> get_meta(std::string const& name) override;
    Result<void> put_meta(std::string const& name, std::string const& value) override;
    Result<void> append_event(EventRow const& row) override;
    Result<std::vector<EventRow>> events_of(ConnectionId const& id, std::size_t limit) override;

 private:
    sqlite::Database& database_;
    bool claimed_ = false;
    bool saved_ = false;
    bool traceless_ = false;
};

}  // namespace brickgate
