// SPDX-License-Identifier: Apache-2.0
#include "vault/vault.h"

#include "base/encoding.h"

namespace brickgate {

namespace {

constexpr std::string_view token_purpose = "token";
constexpr std::string_view login_purpose = "login";
constexpr Milliseconds bad_record_wait = std::chrono::minutes(10);  // until an operator has looked

RowIdentity identity_of(LoginRow const& row) {
    return {"login",
            "secrets",
            "default",
            "log_" + hex_encode(row.state_hash.substr(0, 16)),
            row.registration.value(),
            row.issuer.value(),
            row.workspace,
            0};
}

// nonce, a line feed, the verifier: neither has one.
Secret join(LoginSecrets const& secrets) {
    return secrets.verifier.expose([&](std::string_view verifier) {
        std::string text;
        text.reserve(secrets.nonce.size() + 1 + verifier.size());
        text.append(secrets.nonce).append("\n").append(verifier);
        return Secret::from(std::move(text));
    });
}

LoginSecrets split(Secret const& joined) {
    return joined.expose([](std::string_view text) {
        auto const border = text.find('\n');
        return LoginSecrets{Secret::copy_of(text.substr(border + 1)),
                            std::string(text.substr(0, border))};
    });
}

Result<void> append_all(StoreTransaction& store, std::vector<EventRow> const& events,
                        std::string const& connection) {
    for (auto event : events) {
        if (event.connection.empty()) {
            event.connection = connection;
        }
        if (auto const appended = store.append_event(event); !appended) {
            return appended;
        }
    }
    return {};
}

}  // namespace

Vault::Vault(StoreRunner& runner, Envelope& envelope, Clock& clock, Random& random)
    : runner_(runner), envelope_(envelope), clock_(clock), random_(random) {}

Task<Result<void>> Vault::transact(StoreJob job) {
    return runner_.run(std::move(job));
}

Task<Result<void>> Vault::begin_login(LoginRow row, LoginSecrets secrets, std::size_t logins_max) {
    auto sealed =
        envelope_.seal(login_purpose, SealedKind::pkce_verifier, join(secrets), identity_of(row));
    if (!sealed) {
        co_return fail(std::move(sealed.error()));
    }
    row.sealed = std::move(*sealed);
    StoreJob const job = [row = std::move(row),
                          logins_max](StoreTransaction& store) -> Result<void> {
        auto count = store.count_logins();
        if (!count) {
            return fail(count.error());
        }
        if (*count >= logins_max) {
            if (auto const gone = store.delete_logins_expired_before(row.created_at); !gone) {
                return fail(gone.error());
            }
            count = store.count_logins();
            if (!count) {
                return fail(count.error());
            }
        }
        if (*count >= logins_max) {
            return fail(ErrorCode::too_many_logins, "Too many sign-ins are under way.");
        }
        return store.insert_login(row);
    };
    co_return co_await runner_.run(job);
}

Task<Result<std::optional<Vault::TakenLogin>>> Vault::take_login(std::string state_hash) {
    std::optional<LoginRow> row;
    StoreJob const job = [&row, state_hash](StoreTransaction& store) -> Result<void> {
        auto taken = store.take_login(state_hash);
        if (!taken) {
            return fail(taken.error());
        }
        row = std::move(*taken);
        return {};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    if (!row) {
        co_return std::nullopt;
    }
    auto const opened = envelope_.open(SealedKind::pkce_verifier, row->sealed, identity_of(*row));
    if (!opened) {
        co_return fail(opened.error());
    }
    TakenLogin taken{std::move(*row), split(*opened)};
    co_return std::move(taken);
}

Task<Result<std::optional<Connection>>> Vault::find(ConnectionId id) {
    std::optional<Connection> row;
    StoreJob const job = [&row, &id](StoreTransaction& store) -> Result<void> {
        auto found = store.find_connection(id);
        if (!found) {
            return fail(found.error());
        }
        row = std::move(*found);
        return {};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return std::move(row);
}

Result<void> Vault::seal_into(Connection& row, TokenSet const& tokens, RefreshToken const* kept) {
    auto access = envelope_.seal(token_purpose, SealedKind::access_token, tokens.access.secret(),
                                 identity_of(row, "cur_access", row.generation));
    if (!access) {
        return fail(access.error());
    }
    row.sealed_access = std::move(*access);
    row.current_fingerprint =
        tokens.access.expose([&](std::string_view text) { return fingerprint(text); });
    RefreshToken const* const refresh = tokens.refresh ? &*tokens.refresh : kept;
    row.sealed_refresh.clear();
    if (!refresh) {
        return {};
    }
    auto sealed = envelope_.seal(token_purpose, SealedKind::refresh_token, refresh->secret(),
                                 identity_of(row, "cur_refresh", row.generation));
    if (!sealed) {
        return fail(sealed.error());
    }
    row.sealed_refresh = std::move(*sealed);
    return {};
}

Task<Result<Connection>> Vault::connect(Connection wanted, NewTokens fresh,
                                        std::vector<EventRow> events) {
    Time const now = clock_.now();
    if (wanted.tenant.empty()) {
        wanted.tenant = "default";
    }
    wanted.token_type = fresh.tokens.token_type;
    wanted.access_issued_at = fresh.received_at;
    wanted.access_expires_at = fresh.tokens.expires_at;
    wanted.refresh_due_at = fresh.tokens.refresh ? fresh.refresh_due_at : std::nullopt;
    wanted.refresh_expires_at = fresh.refresh_expires_at;
    wanted.state = ConnectionState::active;
    wanted.reason = ReauthReason::none;
    wanted.state_since = wanted.updated_at = wanted.created_at = now;
    std::string const new_id = "con_" + random_.hex(16);
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const old = store.find_connection_of(wanted.registration, wanted.workspace,
                                                  wanted.principal.sub, wanted.subject);
        if (!old) {
            return fail(old.error());
        }
        wanted.id = *old ? (*old)->id : ConnectionId(new_id);
        wanted.family = *old ? (*old)->family + 1 : 1;
        // Generations go on counting over families, so that no two seals share their associated
        // data.
        wanted.generation = *old ? (*old)->generation + 1 : 1;
        if (*old) {
            wanted.created_at = (*old)->created_at;
            wanted.tenant = (*old)->tenant;
        }
        if (auto const sealed = seal_into(wanted, fresh.tokens, nullptr); !sealed) {
            return sealed;
        }
        if (*old) {
            auto const replaced = store.replace_family(wanted, (*old)->family);
            if (!replaced) {
                return fail(replaced.error());
            }
            if (!*replaced) {
                return fail(ErrorCode::store_conflict, "The connection changed meanwhile.");
            }
        } else if (auto const inserted = store.insert_connection(wanted); !inserted) {
            return inserted;
        }
        return append_all(store, events, wanted.id.value());
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return std::move(wanted);
}

Task<Result<bool>> Vault::disconnect(ConnectionId id, std::vector<EventRow> events) {
    bool changed = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const ended = store.disconnect(id, clock_.now());
        if (!ended) {
            return fail(ended.error());
        }
        changed = *ended;
        return changed ? append_all(store, events, id.value()) : Result<void>{};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return changed;
}

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
                                       RefreshToken const& presented,
                                       std::vector<EventRow> events) {
    Connection next = row;
    next.generation += 1;
    if (auto const sealed = seal_into(next, fresh.tokens, &presented); !sealed) {
        co_return fail(sealed.error());
    }
    bool const same =
        !fresh.tokens.refresh || fresh.tokens.refresh->secret().ct_equal(presented.secret());
    std::optional<std::string> scopes;
    if (fresh.tokens.scopes) {
        scopes = fresh.tokens.scopes->to_string();
    }
    TokenSave const save{row.id,
                         row.family,
                         row.generation,
                         std::move(attempt),
                         next.sealed_access,
                         next.sealed_refresh,
                         next.current_fingerprint,
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
        auto const outcome = store.save_tokens(save);
        if (!outcome) {
            return fail(outcome.error());
        }
        saved.outcome = *outcome;
        if (*outcome == SaveOutcome::saved) {
            if (auto const appended = append_all(store, events, row.id.value()); !appended) {
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
        return written ? append_all(store, events, fence.id.value()) : Result<void>{};
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
        return *written ? append_all(store, events, fence.id.value()) : Result<void>{};
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
    auto access = open_access(row);
    if (!refresh || !access) {
        return false;
    }
    TokenSet tokens;
    tokens.access = std::move(*access);
    tokens.refresh = RefreshToken(std::move(*refresh));
    row.generation = fence.generation + 1;
    if (auto const sealed = seal_into(row, tokens, nullptr); !sealed) {
        return fail(sealed.error());
    }
    return store.promote_alt_refresh(fence, row.sealed_access, row.sealed_refresh, clock_.now());
}

Result<AccessToken> Vault::open_access(Connection const& row) const {
    auto opened = envelope_.open(SealedKind::access_token, row.sealed_access,
                                 identity_of(row, "cur_access", row.generation));
    if (!opened) {
        return fail(opened.error());
    }
    return AccessToken(std::move(*opened));
}

Result<RefreshToken> Vault::open_refresh(Connection const& row) const {
    auto opened = envelope_.open(SealedKind::refresh_token, row.sealed_refresh,
                                 identity_of(row, "cur_refresh", row.generation));
    if (!opened) {
        return fail(opened.error());
    }
    return RefreshToken(std::move(*opened));
}

std::string Vault::fingerprint(std::string_view access_token) const {
    return envelope_.fingerprint(access_token);
}

}  // namespace brickgate
