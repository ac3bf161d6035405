// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every Store must do; each store's test file instantiates it with a Backend, which has
//   Store& store()                                  the store under test
//   void reopen()                                   as after a restart
//   void put_lease(id, node, until)                 past the interface, to reach every predicate
//   void put_intent(id, node, generation)           likewise; presented once, attempt "before"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "vault/store.h"

namespace brickgate::testing {

inline constexpr Time now = Time(Seconds(1'800'000'000));
inline constexpr Milliseconds ms{1};

inline Connection sample(std::string const& name = "1") {
    Connection row;
    row.id = ConnectionId("con_" + std::string(32 - name.size(), '0') + name);
    row.tenant = "default";
    row.registration = RegistrationId("reg_" + std::string(32, 'a'));
    row.subject = "user-" + name;
    row.issuer = Issuer("https://ws.example/oidc");
    row.workspace = "https://ws.example";
    row.token_endpoint = "https://ws.example/oidc/v1/token";
    row.principal = {"sub-" + name, "ada@example.com", "Ada"};
    row.scopes = Scopes{"all-apis", "offline_access"};
    row.state = ConnectionState::active;
    row.state_since = now - Seconds(60);
    row.family = 3;
    row.generation = 7;
    row.sealed_access = std::string("access\0\x01", 8) + name;
    row.sealed_refresh = std::string("refresh\0\xFF", 9) + name;
    row.previous_fingerprint = "aa";
    row.current_fingerprint = "bb";
    row.token_type = "Bearer";
    row.access_issued_at = now - Seconds(3600);
    row.access_expires_at = now + Seconds(60);
    row.refresh_due_at = now;
    row.created_at = row.updated_at = now - Seconds(7200);
    return row;
}

inline ClaimRequest claim_of(Connection const& row, std::string node = "node_a",
                             std::string attempt = "try1", Time at = now) {
    return {row.id, row.family, row.generation, std::move(node), "boot", std::move(attempt),
            at,     Seconds(60)};
}

inline Fence fence_of(Connection const& row) {  // of a claimed row
    return {row.id,          row.family,       row.generation,
            row.lease.epoch, row.intent->node, row.intent->attempt};
}

inline TokenSave save_of(Connection const& row, std::string attempt = "try1") {
    TokenSave save;
    save.id = row.id;
    save.family = row.family;
    save.generation = row.generation;
    save.attempt = std::move(attempt);
    save.sealed_access = "new access";
    save.sealed_refresh = "new refresh";
    save.fingerprint = "cc";
    save.token_type = "Bearer";
    save.access_issued_at = now;
    save.access_expires_at = now + Seconds(3600);
    save.refresh_due_at = now + Seconds(2400);
    save.now = now;
    return save;
}

// All that a store keeps of a connection, as text, so that a difference can be read.
inline std::string text_of(Connection const& c) {
    auto const time = [](std::optional<Time> t) { return t ? std::to_string(to_ms(*t)) : "-"; };
    std::string out;
    for (std::string const& part : {c.id.value(),
                                    c.tenant,
                                    c.registration.value(),
                                    c.subject,
                                    c.issuer.value(),
                                    c.workspace,
                                    c.workspace_id,
                                    c.token_endpoint,
                                    c.principal.sub,
                                    c.principal.user_name,
                                    c.principal.display_name,
                                    c.scopes.to_string(),
                                    std::string(to_string(c.state)),
                                    std::string(to_string(c.reason)),
                                    time(c.state_since),
                                    std::to_string(c.family),
                                    std::to_string(c.generation),
                                    c.sealed_access,
                                    c.sealed_refresh,
                                    c.sealed_alt_refresh,
                                    c.previous_fingerprint,
                                    c.current_fingerprint,
                                    c.token_type,
                                    time(c.access_issued_at),
                                    time(c.access_expires_at),
                                    time(c.refresh_expires_at),
                                    time(c.session_ends_at),
                                    time(c.refresh_due_at),
                                    time(c.next_attempt_at),
                                    std::to_string(c.fail_count),
                                    c.last_error,
                                    c.lease.node,
                                    std::to_string(c.lease.epoch),
                                    time(c.lease.until),
                                    c.last_attempt,
                                    std::to_string(c.same_refresh_token_count),
                                    time(c.created_at),
                                    time(c.updated_at)}) {
        out += part + "|";
    }
    if (c.intent) {
        out += c.intent->node + "|" + c.intent->boot + "|" + c.intent->attempt + "|" +
               std::to_string(c.intent->generation) + "|" + time(c.intent->at) + "|" +
               std::to_string(c.intent->presented);
    }
    return out;
}

template <class Backend>
class StoreConformance : public ::testing::Test {
 protected:
    Store& store() { return backend_.store(); }

    // Runs one job that must succeed and gives what it found.
    template <class F>
    auto run(F f) {
        using T = typename std::invoke_result_t<F&, StoreTransaction&>::value_type;
        std::optional<T> out;
        StoreJob const job = [&](StoreTransaction& rows) -> Result<void> {
            auto found = f(rows);
            if (!found) {
                return fail(found.error());
            }
            out.emplace(std::move(*found));
            return {};
        };
        auto const done = store().transact_one(job);
        EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message());
        return std::move(out).value();
    }
    Result<void> run_void(StoreJob const& job) { return store().transact_one(job); }

    Connection insert(Connection row) {
        auto const done =
            run_void([&](StoreTransaction& rows) { return rows.insert_connection(row); });
        EXPECT_TRUE(done.has_value());
        return row;
    }
    std::optional<Connection> find(Connection const& row) {
        return run([&](StoreTransaction& rows) { return rows.find_connection(row.id); });
    }
    std::optional<Connection> claim(ClaimRequest const& request) {
        return run([&](StoreTransaction& rows) { return rows.claim(request); });
    }
    SaveOutcome save(TokenSave const& tokens) {
        return run([&](StoreTransaction& rows) { return rows.save_tokens(tokens); });
    }
    bool back_off(Fence const& fence, BackOff const& wish) {
        return run([&](StoreTransaction& rows) { return rows.back_off(fence, wish); });
    }
    bool give_up(Fence const& fence, ReauthReason reason = ReauthReason::revoked) {
        return run([&](StoreTransaction& rows) {
            return rows.fail_fenced(fence, reason, "invalid_grant", now);
        });
    }
    bool promote(Fence const& fence) {
        return run([&](StoreTransaction& rows) {
            return rows.promote_alt_refresh(fence, "access again", "the other refresh", now);
        });
    }
    bool keep_alternative(Connection const& row, std::string const& sealed) {
        return run([&](StoreTransaction& rows) {
            return rows.keep_alt_refresh(row.id, row.family, sealed);
        });
    }
    std::vector<std::string> ids(std::vector<Connection> const& rows) {
        std::vector<std::string> out;
        for (auto const& row : rows) {
            out.push_back(row.id.value().substr(row.id.value().find_last_of('0') + 1));
        }
        return out;
    }

    Backend backend_;
};

}  // namespace brickgate::testing

#include "unit/vault/store_conformance_claims.h"
#include "unit/vault/store_conformance_keys.h"
#include "unit/vault/store_conformance_rows.h"

// Use in each store's test file, once.
#define BRICKGATE_STORE_CONFORMANCE(Backend)                                       \
    INSTANTIATE_TYPED_TEST_SUITE_P(Backend, StoreRows, ::testing::Types<Backend>); \
    INSTANTIATE_TYPED_TEST_SUITE_P(Backend, StoreKeys, ::testing::Types<Backend>); \
    INSTANTIATE_TYPED_TEST_SUITE_P(Backend, StoreClaims, ::testing::Types<Backend>)
