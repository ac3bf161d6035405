// SPDX-License-Identifier: Apache-2.0
// What the refresh protocol writes (D.5): claim, save, back-off, failure.
#include "vault/append_events.h"
#include "vault/vault.h"

namespace brickgate {

namespace {

constexpr std::string_view token_purpose = "token";
constexpr Milliseconds bad_record_wait = std::chrono::minutes(10);  // until an operator has looked

}  // namespace

Task<Result<std::optional<Vault::Claimed>>> Vault::claim(ClaimRequest request) {
    std::optional<Connection> row;
    Result<RefreshToken> token = RefreshToken();
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto claimed = store.claim(request);
        if (!claimed) {
            return fail(claimed.error());
        }
        row = std::move(*claimed);
        if (!row) {
            return {};
        }
        token = open_refresh(*row);
        return token ? Result<void>{} : set_aside(store, *row, request, token.error());
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    if (!row) {
        co_return std::nullopt;
    }
    if (!token) {
        co_return fail(token.error());
    }
    Claimed claimed{std::move(*row), std::move(*token)};
    co_return std::move(claimed);
}

// Nothing was presented, so the claim is taken back; and the row waits, so that a scan for due
// refreshes does not meet it first each time (T82).
Result<void> Vault::set_aside(StoreTransaction& store, Connection const& row,
                              ClaimRequest const& request, Error const& why) {
    Fence const fence{row.id,          row.family,   row.generation,
                      row.lease.epoch, request.node, request.attempt};
    BackOff back_off;
    back_off.next_attempt_at = request.now + bad_record_wait;
    back_off.last_error = std::string(why.name());
    back_off.now = request.now;
    auto const written = store.back_off(fence, back_off);
    if (!written) {
        return fail(written.error());
    }
    return {};
}

Task<Result<Vault::Saved>> Vault::save(Connection row, std::string attempt, NewTokens fresh,
                                       RefreshToken const* presented,
                                       std::vector<EventRow> events) {
    if (!fresh.tokens.refresh && !presented) {
        co_return fail(ErrorCode::vault_error, "The refresh token to be kept does not open.");
    }
    bool const same = !fresh.tokens.refresh ||
                      (presented && fresh.tokens.refresh->secret().ct_equal(presented->secret()));
    std::optional<std::string> scopes;
    if (fresh.tokens.scopes) {
        scopes = fresh.tokens.scopes->to_string();
    }
    TokenSave save{row.id,
                   row.family,
                   row.generation,
                   std::move(attempt),
                   {},
                   {},
                   {},
                   fresh.tokens.token_type,
                   std::move(scopes),
                   fresh.received_at,
                   fresh.tokens.expires_at,
                   fresh.refresh_expires_at,
                   fresh.refresh_due_at,
                   same,
                   clock_.now()};
    Saved saved{SaveOutcome::gone, std::nullopt};
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const outcome = save_sealed(store, row, save, fresh.tokens, presented);
        if (!outcome) {
            return fail(outcome.error());
        }
        saved.outcome = *outcome;
        if (*outcome == SaveOutcome::saved) {
            if (auto const appended = append_events(store, events, row.id.value()); !appended) {
                return appended;
            }
        }
        if (*outcome == SaveOutcome::superseded && fresh.tokens.refresh) {
            if (auto const kept = keep_as_alternative(store, row, *fresh.tokens.refresh); !kept) {
                return kept;
            }
        }
        auto found = store.find_connection(row.id);
        if (!found) {
            return fail(found.error());
        }
        saved.row = std::move(*found);
        return {};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return std::move(saved);
}

Result<SaveOutcome> Vault::save_sealed(StoreTransaction& store, Connection const& row,
                                       TokenSave& save, TokenSet const& tokens,
                                       RefreshToken const* presented) {
    Connection next = row;
    next.generation += 1;
    next.access_expires_at = tokens.expires_at;
    if (auto const sealed = seal_into(next, tokens, presented); !sealed) {
        return fail(sealed.error());
    }
    save.sealed_access = next.sealed_access;
    save.sealed_refresh = next.sealed_refresh;
    save.fingerprint = next.current_fingerprint;
    return store.save_tokens(save);
}

Result<void> Vault::keep_as_alternative(StoreTransaction& store, Connection const& row,
                                        RefreshToken const& token) {
    // Sealed for the family, not for a generation: which generation it will serve is not known yet.
    auto const sealed = envelope_.seal(token_purpose, SealedKind::refresh_token, token.secret(),
                                       identity_of(row, "alt_refresh", row.family));
    if (!sealed) {
        return fail(sealed.error());
    }
    auto const kept = store.keep_alt_refresh(row.id, row.family, *sealed);
    if (!kept) {
        return fail(kept.error());
    }
    return {};
}

Task<Result<bool>> Vault::back_off(Fence fence, BackOff back_off, std::vector<EventRow> events) {
    bool written = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const done = store.back_off(fence, back_off);
        if (!done) {
            return fail(done.error());
        }
        written = *done;
        return written ? append_events(store, events, fence.id.value()) : Result<void>{};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return written;
}

Task<Result<Vault::Failed>> Vault::fail_fenced(Fence fence, ReauthReason reason,
                                               std::string last_error,
                                               std::vector<EventRow> events) {
    Failed failed;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const promoted = promote(store, fence);
        if (!promoted) {
            return fail(promoted.error());
        }
        failed.promoted = *promoted;
        if (*promoted) {
            return {};
        }
        auto const written = store.fail_fenced(fence, reason, last_error, clock_.now());
        if (!written) {
            return fail(written.error());
        }
        failed.fenced_out = !*written;
        return *written ? append_events(store, events, fence.id.value()) : Result<void>{};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return failed;
}

// An alternative that does not open is as good as none.
Result<bool> Vault::promote(StoreTransaction& store, Fence const& fence) {
    auto const found = store.find_connection(fence.id);
    if (!found) {
        return fail(found.error());
    }
    if (!*found || (*found)->family != fence.family || (*found)->sealed_alt_refresh.empty()) {
        return false;
    }
    Connection row = **found;
    auto refresh = envelope_.open(SealedKind::refresh_token, row.sealed_alt_refresh,
                                  identity_of(row, "alt_refresh", row.family));
    if (!refresh) {
        return false;
    }
    auto access = open_access(row);
    TokenSet tokens;
    if (access) {
        tokens.access = std::move(*access);
    }
    tokens.refresh = RefreshToken(std::move(*refresh));
    row.generation = fence.generation + 1;
    if (auto const sealed = seal_into(row, tokens, nullptr); !sealed) {
        return fail(sealed.error());
    }
    if (!access) {
        row.sealed_access
            .clear();  // a good refresh token is not given up for it: it brings another
    }
    return store.promote_alt_refresh(fence, row.sealed_access, row.sealed_refresh, clock_.now());
}

}  // namespace brickgate
