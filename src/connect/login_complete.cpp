// SPDX-License-Identifier: Apache-2.0
// The second half of a sign-in, from the answer to the kept connection: the same code for the run
// that asked and for the one that finds the answer in the spool.
#include <algorithm>

#include "base/log.h"
#include "connect/login_context.h"
#include "connect/outbound.h"
#include "connect/principal.h"
#include "events/event.h"
#include "oauth/token_endpoint.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
// While the person waits. What is not stored then stays in the spool.
constexpr int store_tries = 6;
constexpr Milliseconds store_wait_first = 200ms;
constexpr Milliseconds store_wait_most = 2s;
constexpr int me_tries = 3;
constexpr Milliseconds me_wait = 300ms;
constexpr Milliseconds me_total = 10s;

// A code that the workspace refuses is no grant that died: the person only starts again.
Error as_login_error(Error error) {
    if (error.code() == ErrorCode::invalid_grant) {
        return Error(ErrorCode::code_rejected, "The workspace did not accept the sign-in's code.")
            .with_detail(error.detail());
    }
    return error;
}

// RFC 6749 section 5.1: no scope in the answer means as asked; an empty one is not a scope.
Scopes granted_scopes(TokenSet const& tokens, Scopes const& asked) {
    return tokens.scopes && !tokens.scopes->empty() ? *tokens.scopes : asked;
}

// Some servers leave out the words whose effect is in the answer itself.
bool is_reduced(Scopes const& asked, Scopes const& granted, TokenSet const& tokens) {
    return std::ranges::any_of(asked.words(), [&](std::string const& word) {
        bool const shown =
            (word == "offline_access" && tokens.refresh) ||
            ((word == "openid" || word == "profile" || word == "email") && tokens.id_token);
        return !shown && !granted.contains(word);
    });
}

bool is_transient(HttpAnswer const& answer) {
    return !answer || answer->status >= 500 || answer->status == 429;
}

Connection connection_of(RegistrationId registration, std::string workspace, std::string subject,
                         Principal principal) {
    Connection row;
    row.tenant = "default";
    row.registration = std::move(registration);
    row.workspace = std::move(workspace);
    row.subject = std::move(subject);
    row.principal = std::move(principal);
    return row;
}

// Was this person's connection ended after `since`? Ended ones are not found by their key.
Result<bool> was_ended_since(StoreTransaction& store, Connection const& wanted, Time since) {
    ConnectionFilter filter;
    filter.subject = wanted.subject;
    filter.workspace = wanted.workspace;
    filter.state = ConnectionState::disconnected;
    for (;;) {
        auto const page = store.list_connections(filter);
        if (!page) {
            return fail(page.error());
        }
        bool const ended = std::ranges::any_of(*page, [&](Connection const& row) {
            return row.registration == wanted.registration &&
                   row.workspace_id == wanted.workspace_id &&
                   row.principal.sub == wanted.principal.sub && row.state_since >= since;
        });
        if (ended || page->size() < filter.limit) {
            return ended;
        }
        filter.after = page->back().id.value();
    }
}

}  // namespace

Task<Login::Completed> Login::complete(Context context, HttpResponse answer, Time received_at,
                                       Run run) {
    Completed done{fail(ErrorCode::internal, ""), true};
    auto const registration = registration_of(context.registration);
    if (!registration) {
        done.result = fail(ErrorCode::host_denied, "The registration of this sign-in is gone.");
        co_return done;
    }
    auto tokens = parse_token_response(answer, received_at);
    if (!tokens) {
        done.result = fail(as_login_error(std::move(tokens.error())));
        co_return done;
    }
    Scopes const granted = granted_scopes(*tokens, context.scopes);
    if (!granted.is_subset_of(context.scopes)) {
        done.result = fail(
            Error(ErrorCode::scope_escalation, "The workspace granted more than was asked for.")
                .with_detail(granted.to_string()));
        co_return done;
    }
    auto principal = co_await identify(context, registration, *tokens, received_at);
    if (!principal) {
        done.result = fail(std::move(principal.error()));
        co_return done;
    }
    Connection wanted = connection_of(context.registration, context.workspace, context.subject,
                                      std::move(*principal));
    wanted.workspace_id = context.workspace_id;
    wanted.issuer = context.issuer;
    wanted.token_endpoint = context.token_endpoint;
    wanted.scopes = granted;
    wanted.last_attempt = context.attempt;
    if (registration->session_life > Seconds(0)) {
        wanted.session_ends_at = received_at + registration->session_life;
    }
    if (registration->refresh_token_life > Seconds(0) && tokens->refresh) {
        wanted.refresh_expires_at = received_at + registration->refresh_token_life;
    }
    LoginFinished finished;
    finished.return_to = context.return_to;
    finished.session_only = !tokens->refresh.has_value();
    finished.scope_reduced = is_reduced(context.scopes, granted, *tokens);
    auto kept = co_await keep(std::move(wanted), std::move(*tokens), received_at, run);
    if (!kept) {
        done.settled = kept.error().code() == ErrorCode::disconnected;
        done.result = fail(std::move(kept.error()));
        co_return done;
    }
    finished.connection = std::move(*kept);
    finished.reconnected = finished.connection.family > 1;
    done.result = std::move(finished);
    co_return done;
}

Task<Result<Connection>> Login::keep(Connection wanted, TokenSet tokens, Time received_at,
                                     Run run) {
    Milliseconds wait = store_wait_first;
    for (int tries = 1;; ++tries) {
        // The first try may be done though its success was not heard of, and what it stored may
        // have been refreshed since: from then on this is a replay like any other.
        auto kept = co_await keep_once(wanted, tokens, received_at, tries == 1 ? run : Run::replay);
        bool const again = !kept && kept.error().code() == ErrorCode::store_unavailable;
        if (!again || tries == store_tries) {
            co_return kept;
        }
        co_await parts_.timers.sleep_for(wait);
        wait = std::min(2 * wait, store_wait_most);
    }
}

Task<Result<Connection>> Login::keep_once(Connection const& wanted, TokenSet const& tokens,
                                          Time received_at, Run run) {
    std::optional<Connection> old;
    bool ended = false;
    StoreJob const look = [&](StoreTransaction& store) -> Result<void> {
        auto found = store.find_connection_of(wanted);
        if (!found) {
            return fail(found.error());
        }
        old = std::move(*found);
        if (run == Run::live) {
            return {};
        }
        auto const ended_since = was_ended_since(store, wanted, received_at);
        if (!ended_since) {
            return fail(ended_since.error());
        }
        ended = *ended_since;
        return {};
    };
    if (auto const looked = co_await parts_.vault.transact(look); !looked) {
        co_return fail(looked.error());
    }
    // An answer from the spool must not take the place of what came after it: its refresh token may
    // be spent, and presenting it again could end the grant.
    bool const newer = old && old->access_issued_at >= received_at;
    if (run == Run::replay && newer) {
        co_return std::move(*old);
    }
    if (run == Run::replay && ended) {
        co_return fail(ErrorCode::disconnected, "This connection was ended since.");
    }
    NewTokens fresh;
    fresh.tokens = tokens.clone();
    fresh.received_at = received_at;
    fresh.refresh_expires_at = wanted.refresh_expires_at;
    fresh.refresh_due_at = parts_.refresh_due(received_at, tokens.expires_at);
    Connection next = wanted;
    next.generation = old ? old->generation + 1 : 1;
    std::vector<EventRow> events{connection_connected(parts_.clock.now(), next, old.has_value())};
    auto kept = co_await parts_.vault.connect(std::move(next), std::move(fresh), std::move(events));
    if (kept) {
        log(LogLevel::info, "connected", "A person has signed in.",
            {{"connection", kept->id.value()},
             {"workspace", kept->workspace},
             {"reconnected", old.has_value()},
             {"session_only", kept->sealed_refresh.empty()}});
    }
    co_return kept;
}

Task<Result<Principal>> Login::identify(Context const& context,
                                        std::shared_ptr<Registration const> registration,
                                        TokenSet const& tokens, Time received_at) {
    // The row has the address of the keys only where an id_token was asked for.
    bool const asked = !context.jwks_uri.empty();
    if (asked && tokens.id_token) {
        co_return co_await from_id_token(context, registration, tokens, received_at);
    }
    if (asked && registration->id_token_required) {
        co_return fail(ErrorCode::id_token_missing, "The workspace did not say who signed in.");
    }
    co_return co_await from_scim(context, registration, tokens.access);
}

Task<Result<Principal>> Login::from_id_token(Context const& context,
                                             std::shared_ptr<Registration const> registration,
                                             TokenSet const& tokens, Time received_at) {
    auto const jws = tokens.id_token->expose([](std::string_view text) { return parse_jws(text); });
    if (!jws) {
        co_return fail(jws.error());
    }
    auto const keys =
        co_await parts_.discovery.keys(registration, context.jwks_uri, jws->kid.value_or(""));
    if (!keys) {
        co_return fail(keys.error());
    }
    auto const verified = verify_jws(*jws, **keys);
    if (!verified) {
        co_return fail(verified.error());
    }
    // Times are judged as of the answer, so that one from the spool is not too old for itself.
    IdTokenExpectations expected{context.issuer, registration->client.client_id, std::nullopt,
                                 registration->nonce_required, received_at};
    if (!context.nonce.empty()) {
        expected.nonce = Nonce(context.nonce);
    }
    auto const claims = check_claims(*verified, expected);
    if (!claims) {
        co_return fail(claims.error());
    }
    if (auto const bound = check_access_token_hash(*verified, tokens.access); !bound) {
        co_return fail(bound.error());
    }
    co_return principal_of(*claims);
}

Task<Result<Principal>> Login::from_scim(Context const& context,
                                         std::shared_ptr<Registration const> registration,
                                         AccessToken const& token) {
    auto const workspace = registration->hosts.admit(context.workspace);
    if (!workspace) {
        co_return fail(ErrorCode::host_denied, "This workspace is no longer served.");
    }
    for (int tries = 1;; ++tries) {
        auto request = make_me_request(*workspace, context.workspace_id, token);
        HttpLimits limits = limits_for(*registration, request.url);
        limits.total = me_total;
        auto const answer = co_await parts_.http.send(std::move(request), std::move(limits));
        if (!is_transient(answer)) {
            if (auto principal = parse_me_response(*answer)) {
                co_return std::move(*principal);
            }
            break;
        }
        if (tries == me_tries) {
            // Guessing now would give this person a second connection next time.
            co_return fail(Error(ErrorCode::temporarily_unavailable,
                                 "The workspace could not be asked who signed in.")
                               .with_detail(answer ? "status " + std::to_string(answer->status)
                                                   : answer.error().error.message()));
        }
        co_await parts_.timers.sleep_for(me_wait);
    }
    // A token without the scope for it is refused here (facts 9), which is no fault of the sign-in.
    co_return principal_hint(token).value_or(unknown_principal(context.attempt));
}

Task<void> Login::recover(std::vector<SpoolEntry> entries) {
    for (auto& entry : entries) {
        if (entry.identity.kind == SpoolKind::login) {
            co_await recover_one(std::move(entry));
        }
    }
}

Task<void> Login::recover_one(SpoolEntry entry) {
    auto spooled = Context::read(entry.answer);
    Completed done{fail(ErrorCode::vault_error, "The spooled sign-in cannot be read."), true};
    if (spooled) {
        done = co_await complete(std::move(spooled->context), std::move(spooled->answer),
                                 entry.received_at, Run::replay);
    }
    if (done.settled) {
        parts_.spool.committed(entry.seq, parts_.clock.now());
    }
    if (done.result) {
        log(LogLevel::info, "login_recovered", "A sign-in that a crash had cut off is finished.",
            {{"connection", done.result->connection.id.value()}});
        co_return;
    }
    Error const& error = done.result.error();
    log(LogLevel::warning, done.settled ? "login_dropped" : "login_kept",
        done.settled ? "A sign-in that a crash had cut off cannot be finished."
                     : "A sign-in that a crash had cut off waits for the next start.",
        {{"code", error.name()}, {"reason", error.message()}, {"detail", error.detail()}});
}

}  // namespace brickgate
