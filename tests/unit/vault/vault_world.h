// SPDX-License-Identifier: Apache-2.0
#pragma once
// A vault over a store in memory, with a person's connection to work on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/manual_clock.h"
#include "support/run_task.h"
#include "support/seeded_random.h"
#include "vault/memory_store.h"
#include "vault/store_runner.h"
#include "vault/vault.h"

namespace brickgate::testing {

inline std::unique_ptr<Keyring> open_keyring(Store& store, Random& random, char root = 'r') {
    std::vector<Secret> roots;
    roots.push_back(Secret::copy_of(std::string(32, root)));
    return std::move(
        Keyring::open(std::move(roots), store, false, Time(Seconds(1)), random).value());
}

inline TokenSet tokens(std::string const& access, std::optional<std::string> refresh,
                       Time expires_at) {
    TokenSet set;
    set.access = AccessToken(Secret::copy_of(access));
    if (refresh) {
        set.refresh = RefreshToken(Secret::copy_of(*refresh));
    }
    set.expires_at = expires_at;
    return set;
}

template <class T>
std::string plain(Result<T> const& token) {
    return token ? token->expose([](std::string_view text) { return std::string(text); })
                 : "error: " + std::string(token.error().name());
}

class VaultWorld : public ::testing::Test {
 protected:
    static Connection wanted(std::string const& subject = "user") {
        Connection row;
        row.registration = RegistrationId("reg_" + std::string(32, 'a'));
        row.subject = subject;
        row.issuer = Issuer("https://ws.example/oidc");
        row.workspace = "https://ws.example";
        row.token_endpoint = "https://ws.example/oidc/v1/token";
        row.principal = {"sub", "ada@example.com", "Ada"};
        row.scopes = Scopes{"all-apis", "offline_access"};
        return row;
    }
    NewTokens fresh(std::string const& access, std::optional<std::string> refresh) {
        NewTokens out;
        out.received_at = clock_.now();
        out.tokens = tokens(access, std::move(refresh), clock_.now() + Seconds(3600));
        out.refresh_due_at = clock_.now() + Seconds(2400);
        return out;
    }
    Connection connect(std::string const& access, std::optional<std::string> refresh,
                       std::string const& subject = "user") {
        auto made = run_task(vault_.connect(wanted(subject), fresh(access, std::move(refresh)),
                                            {{0, clock_.now(), "connection.made", "", "{}"}}));
        EXPECT_TRUE(made);
        return std::move(*made);
    }
    Connection row_of(ConnectionId const& id) { return run_task(vault_.find(id)).value().value(); }
    Result<std::optional<Vault::Claimed>> claim(Connection const& row,
                                                std::string const& attempt = "try1") {
        return run_task(vault_.claim({row.id, row.family, row.generation, "node_a", "boot", attempt,
                                      clock_.now(), Seconds(60)}));
    }
    static Fence fence_of(Connection const& row) {
        return {row.id,          row.family,       row.generation,
                row.lease.epoch, row.intent->node, row.intent->attempt};
    }
    std::vector<std::string> event_types() {
        std::vector<std::string> out;
        for (auto const& event : store_.rows().events) {
            out.push_back(event.type);
        }
        return out;
    }

    ManualClock clock_;
    SeededRandom random_;
    MemoryStore store_;
    std::unique_ptr<Keyring> keyring_ = open_keyring(store_, random_);
    Envelope envelope_{*keyring_, random_};
    InlineStoreRunner runner_{store_};
    Vault vault_{runner_, envelope_, clock_, random_};
};

}  // namespace brickgate::testing
