// SPDX-License-Identifier: Apache-2.0
#include "vault/vault.h"

#include "vault/append_events.h"

namespace brickgate {

namespace {

constexpr std::string_view token_purpose = "token";
constexpr std::string_view login_purpose = "login";

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

}  // namespace

Vault::Vault(StoreRunner& runner, Envelope& envelope, Clock& clock, Random& random)
    : runner_(runner), envelope_(envelope), clock_(clock), random_(random) {}

Task<Result<void>> Vault::transact(StoreJob job) {
    return runner_.run(std::move(job));
}

Task<Result<void>> Vault::begin_login(LoginRow row, LoginSecrets secrets, std::size_t logins_max) {
    Secret const plain = join(secrets);
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
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
        auto sealed =
            envelope_.seal(login_purpose, SealedKind::pkce_verifier, plain, identity_of(row));
        if (!sealed) {
            return fail(std::move(sealed.error()));
        }
        row.sealed = std::move(*sealed);
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
        auto const old = store.find_connection_of(wanted);
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
        return append_events(store, events, wanted.id.value());
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
        if (!changed) {
            return {};
        }
        store.leave_no_trace();
        return append_events(store, events, id.value());
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return changed;
}

Task<Result<bool>> Vault::release(ConnectionId id) {
    bool released = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const done = store.end_quarantine(id, clock_.now());
        if (!done) {
            return fail(done.error());
        }
        released = *done;
        return {};
    };
    auto const ran = co_await runner_.run(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    co_return released;
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
