// SPDX-License-Identifier: Apache-2.0
#pragma once
// Typed secrets over Store and Envelope: seals what goes in, opens what comes out, and keeps the
// compare-and-swap rules of D.5. Owned by the composition root; coroutines may call it from the
// control executor, the open_* functions from any thread. The rows that record an event are written
// in the same transaction as the change they tell of: the vault does not know what an event is.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/task.h"
#include "oauth/types.h"
#include "vault/connection.h"
#include "vault/envelope.h"
#include "vault/store.h"

namespace brickgate {

// Runs store jobs off the caller's thread and groups them into commits; inline in tests and
// simulation.
class StoreRunner {
 public:
    virtual ~StoreRunner() = default;
    virtual Task<Result<void>> run(StoreJob job) = 0;
};

struct NewTokens {  // what a token endpoint answered, ready to be kept
    TokenSet tokens;
    Time received_at{};
    std::optional<Time> refresh_due_at;
    std::optional<Time> refresh_expires_at;
};

struct LoginSecrets {
    Secret verifier;
    std::string nonce;  // empty: none was sent
};

class Vault {
 public:
    Vault(StoreRunner& runner, Envelope& envelope, Clock& clock, Random& random);

    // Anything that needs no key: lists, counts, API keys.
    Task<Result<void>> transact(StoreJob job);

    Task<Result<void>> begin_login(LoginRow row, LoginSecrets secrets, std::size_t logins_max);
    struct TakenLogin {
        LoginRow row;
        LoginSecrets secrets;
    };
    Task<Result<std::optional<TakenLogin>>> take_login(std::string state_hash);

    Task<Result<std::optional<Connection>>> find(ConnectionId id);
    // A first sign-in creates, a later one of the same person at the same workspace for the same
    // subject replaces the family and keeps the id. `events` get the final id filled in.
    Task<Result<Connection>> connect(Connection wanted, NewTokens tokens,
                                     std::vector<EventRow> events);
    // Leaves nothing of its tokens in the database's files; the spool's copies go within the hour.
    Task<Result<bool>> disconnect(ConnectionId id, std::vector<EventRow> events);
    Task<Result<bool>> release(ConnectionId id);  // false: it was not quarantined

    struct Claimed {
        Connection row;  // as the claim left it
        RefreshToken refresh_token;
    };
    // nullopt: somebody else works on it, it backs off, or it moved on: read the row again.
    Task<Result<std::optional<Claimed>>> claim(ClaimRequest request);
    struct Saved {
        SaveOutcome outcome;
        std::optional<Connection> row;  // as it stands now
    };
    // `row` is the claimed one. An absent refresh token keeps the presented one (nullptr: it does
    // not open; vault_error where it is needed); a good answer that cannot be the current one any
    // more is kept as alt_refresh (superseded) or dropped (family_changed).
    Task<Result<Saved>> save(Connection row, std::string attempt, NewTokens tokens,
                             RefreshToken const* presented, std::vector<EventRow> events);
    Task<Result<bool>> back_off(Fence fence, BackOff back_off, std::vector<EventRow> events);
    // Promotes alt_refresh where there is one (true: the connection lives on), else writes the
    // failure.
    struct Failed {
        bool fenced_out = false;  // somebody else got further: read again
        bool promoted = false;
    };
    Task<Result<Failed>> fail_fenced(Fence fence, ReauthReason reason, std::string last_error,
                                     std::vector<EventRow> events);

    Result<AccessToken> open_access(Connection const& row) const;
    Result<RefreshToken> open_refresh(Connection const& row) const;
    std::string fingerprint(std::string_view access_token) const;  // keyed, 16 bytes as hex

 private:
    // Seals access and refresh token as of row.generation; without a new refresh token the kept
    // one.
    Result<void> seal_into(Connection& row, TokenSet const& tokens, RefreshToken const* kept);
    Result<SaveOutcome> save_sealed(StoreTransaction& store, Connection const& row, TokenSave& save,
                                    TokenSet const& tokens, RefreshToken const* presented);
    Result<void> set_aside(StoreTransaction& store, Connection const& row,
                           ClaimRequest const& request, Error const& why);
    Result<bool> promote(StoreTransaction& store, Fence const& fence);
    Result<void> keep_as_alternative(StoreTransaction& store, Connection const& row,
                                     RefreshToken const& token);

    StoreRunner& runner_;
    Envelope& envelope_;
    Clock& clock_;
    Random& random_;
};

}  // namespace brickgate
