// SPDX-License-Identifier: Apache-2.0
#include "connect/login.h"

#include <sodium.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "connect/login_context.h"
#include "connect/outbound.h"
#include "databricks/endpoints.h"
#include "events/event.h"
#include "oauth/id_token.h"
#include "oauth/token_endpoint.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Seconds login_life = 600s;  // T01
constexpr std::size_t subject_bytes_max = 200;

std::string suffix_of(std::string_view state_hash) {
    return hex_encode(state_hash.substr(0, 4));
}

bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

// The words for a person who only sees that the sign-in ended.
Error as_login_error(Error error) {
    if (error.code() == ErrorCode::invalid_grant) {
        return Error(ErrorCode::code_rejected, "The workspace did not accept the sign-in's code.")
            .with_detail(error.detail());
    }
    return error;
}

Result<Scopes> scopes_to_ask(Registration const& registration,
                             std::optional<Scopes> const& wished) {
    if (!wished) {
        return registration.scopes;
    }
    if (!wished->is_subset_of(registration.scopes)) {
        return fail(ErrorCode::scope_denied,
                    "A scope was asked for that this gateway's registration does not have.");
    }
    return *wished;
}

}  // namespace

Login::Login(Parts parts) : parts_(std::move(parts)) {}

std::shared_ptr<Registration const> Login::registration_of(RegistrationId const& id) const {
    for (auto const& registration : parts_.registrations) {
        if (registration->id == id) {
            return registration;
        }
    }
    return nullptr;
}

Task<Result<LoginStart>> Login::begin(std::shared_ptr<Registration const> registration,
                                      LoginWish wish) {
    bool const listed =
        wish.return_to.empty() || std::ranges::find(parts_.return_to_allowed, wish.return_to) !=
                                      parts_.return_to_allowed.end();
    if (!listed) {
        co_return fail(ErrorCode::return_to_denied,
                       "return_to is not one of the configured addresses.");
    }
    if (wish.subject.size() > subject_bytes_max || clean_text(wish.subject) != wish.subject) {
        co_return fail(ErrorCode::invalid_request,
                       "subject is at most 200 bytes of printable text.");
    }
    auto const scopes = scopes_to_ask(*registration, wish.scopes);
    if (!scopes) {
        co_return fail(scopes.error());
    }
    if (wish.workspace.empty() && registration->fixed_workspace) {
        wish.workspace = registration->fixed_workspace->origin();
    }
    auto const workspace = registration->hosts.admit(wish.workspace);
    if (!workspace) {
        co_return fail(workspace.error());
    }
    auto const server = co_await parts_.discovery.metadata(registration, *workspace);
    if (!server) {
        co_return fail(server.error());
    }

    State const state(parts_.random.token(32));
    Secret cookie = Secret::from(parts_.random.token(32));
    PkceVerifier const verifier = PkceVerifier::generate(parts_.random);
    AuthorizationRequest request{registration->client.client_id,
                                 wish.redirect_uri.value_or(registration->redirect_uri),
                                 *scopes,
                                 state,
                                 std::nullopt,
                                 verifier.challenge()};
    bool const wants_identity = scopes->contains("openid") && !(*server)->jwks_uri.empty();
    if (wants_identity) {
        request.nonce = Nonce(parts_.random.token(32));
    }
    Time const now = parts_.clock.now();
    LoginRow row;
    row.state_hash = sha256(state.value());
    row.cookie_hash = cookie.expose([](std::string_view text) { return sha256(text); });
    row.registration = registration->id;
    row.workspace = workspace->origin();
    row.issuer = (*server)->issuer;
    row.token_endpoint = (*server)->token_endpoint;
    row.jwks_uri = wants_identity ? (*server)->jwks_uri : "";
    row.iss_required = (*server)->iss_parameter_supported;
    row.redirect_uri = request.redirect_uri.value();
    row.scopes = scopes->to_string();
    row.subject = wish.subject;
    row.return_to = wish.return_to;
    row.created_at = now;
    row.expires_at = now + login_life;
    std::string const suffix = suffix_of(row.state_hash);
    LoginSecrets secrets{verifier.secret().clone(), request.nonce ? request.nonce->value() : ""};
    auto const kept =
        co_await parts_.vault.begin_login(std::move(row), std::move(secrets), parts_.logins_max);
    if (!kept) {
        co_return fail(kept.error());
    }
    LoginStart start{authorize_url(**server, request), suffix, std::move(cookie),
                     workspace->origin(), now + login_life};
    co_return std::move(start);
}

Task<Login::Finished> Login::finish(std::string query, CookieLookup cookie) {
    auto const failed = [](Error error) {
        return std::unexpected(LoginFailed{std::move(error), {}, {}});
    };
    auto parameters = CallbackParameters::parse(query);
    if (!parameters) {
        co_return failed(parameters.error());
    }
    std::string const state_hash = sha256(parameters->state.value());
    auto const presented = cookie(suffix_of(state_hash));
    if (!presented) {
        co_return failed(presented.error());
    }
    auto taken = co_await parts_.vault.take_login(state_hash);
    if (!taken) {
        co_return failed(taken.error());
    }
    if (!*taken) {
        co_return failed(
            Error(ErrorCode::state_unknown, "This sign-in link was used already, or is too old."));
    }
    auto& row = (*taken)->row;
    if (!*presented || !same(sha256(**presented), row.cookie_hash)) {
        co_return failed(
            Error(ErrorCode::state_cookie_missing, "This sign-in was begun in another browser."));
    }
    // From here on it is proved whose sign-in this is, so the app may hear how it ended.
    PendingLogin const pending{row.issuer, row.iss_required, row.expires_at};
    auto code = validate_callback(std::move(*parameters), pending, parts_.clock.now());
    if (!code) {
        EventRow const event =
            login_denied(parts_.clock.now(), row.workspace, row.subject, code.error().code());
        StoreJob const note = [&event](StoreTransaction& store) {
            return store.append_event(event);
        };
        (void)co_await parts_.vault.transact(note);
        log(LogLevel::info, "login_denied", code.error().message(),
            {{"code", code.error().name()},
             {"workspace", row.workspace},
             {"detail", code.error().detail()}});
        co_return std::unexpected(
            LoginFailed{std::move(code.error()), row.return_to, row.workspace});
    }
    co_return co_await redeem(std::move(*code), std::move(**taken));
}

Task<Login::Finished> Login::redeem(ValidatedCode code, Vault::TakenLogin taken) {
    Context const context = Context::of(taken);
    auto const failed = [&](Error error) {
        log(LogLevel::warning, "login_failed", error.message(),
            {{"code", error.name()}, {"workspace", context.workspace}, {"detail", error.detail()}});
        return std::unexpected(LoginFailed{std::move(error), context.return_to, context.workspace});
    };
    auto const registration = registration_of(context.registration);
    if (!registration || !registration->hosts.admit(context.workspace)) {
        co_return failed(Error(ErrorCode::host_denied, "This workspace is no longer served."));
    }
    auto const verifier = PkceVerifier::from(std::move(taken.secrets.verifier));
    if (!verifier) {
        co_return failed(Error(ErrorCode::vault_error, "The sign-in's own record is damaged."));
    }
    auto room = parts_.spool.reserve();
    if (!room) {
        co_return failed(room.error());
    }

    HttpLimits limits = limits_for(*registration, context.workspace);
    limits.fresh_connection = true;
    limits.too_large = ErrorCode::token_too_large;
    auto request = make_code_request(context.token_endpoint, registration->client, std::move(code),
                                     RedirectUri(taken.row.redirect_uri), *verifier);
    auto answer = co_await parts_.http.send(std::move(request), std::move(limits));
    if (!answer) {
        bool const unknown = answer.error().sent == Sent::maybe_sent;
        co_return failed(unknown ? Error(ErrorCode::outcome_unknown,
                                         "The workspace's answer to the sign-in was lost.")
                                       .with_detail(answer.error().error.message())
                                 : answer.error().error);
    }
    Time const received_at = parts_.clock.now();
    SpoolIdentity identity{SpoolKind::login, "login_" + parts_.random.hex(16), 0, 0,
                           parts_.random.hex(16)};
    auto const seq = co_await parts_.spool.append(*room, std::move(identity), received_at,
                                                  context.with_answer(*answer));
    failpoint("L9");
    auto finished = co_await complete(context, std::move(*answer), received_at);
    if (seq) {
        parts_.spool.committed(*seq, parts_.clock.now());
    }
    if (!finished) {
        co_return failed(as_login_error(std::move(finished.error())));
    }
    finished->return_to = context.return_to;
    co_return std::move(*finished);
}

Task<Result<LoginFinished>> Login::complete(Context context, HttpResponse answer,
                                            Time received_at) {
    auto const registration = registration_of(context.registration);
    if (!registration) {
        co_return fail(ErrorCode::host_denied, "The registration of this sign-in is gone.");
    }
    auto tokens = parse_token_response(answer, received_at);
    if (!tokens) {
        co_return fail(std::move(tokens.error()));
    }
    Scopes const granted = tokens->scopes.value_or(context.scopes);
    if (!granted.is_subset_of(context.scopes)) {
        co_return fail(
            Error(ErrorCode::scope_escalation, "The workspace granted more than was asked for.")
                .with_detail(granted.to_string()));
    }
    auto principal = co_await identify(context, registration, *tokens, received_at);
    if (!principal) {
        co_return fail(std::move(principal.error()));
    }

    LoginFinished finished;
    finished.session_only = !tokens->refresh.has_value();
    finished.scope_reduced = std::ranges::any_of(context.scopes.words(), [&](auto const& word) {
        return word != "offline_access" && !granted.contains(word);
    });
    Connection wanted;
    wanted.tenant = "default";
    wanted.registration = context.registration;
    wanted.subject = context.subject;
    wanted.issuer = context.issuer;
    wanted.workspace = context.workspace;
    wanted.token_endpoint = context.token_endpoint;
    wanted.principal = std::move(*principal);
    wanted.scopes = granted;
    NewTokens fresh;
    fresh.received_at = received_at;
    fresh.refresh_due_at = parts_.refresh_due(received_at, tokens->expires_at);
    fresh.tokens = std::move(*tokens);
    std::vector<EventRow> events{connection_connected(parts_.clock.now(), wanted, false)};
    events.front().connection.clear();  // the id is given in the transaction
    auto connected =
        co_await parts_.vault.connect(std::move(wanted), std::move(fresh), std::move(events));
    if (!connected) {
        co_return fail(std::move(connected.error()));
    }
    finished.reconnected = connected->family > 1;
    finished.connection = std::move(*connected);
    log(LogLevel::info, "connected", "A person has signed in.",
        {{"connection", finished.connection.id.value()},
         {"workspace", finished.connection.workspace},
         {"user", finished.connection.principal.user_name},
         {"session_only", finished.session_only}});
    co_return std::move(finished);
}

Task<Result<Principal>> Login::identify(Context const& context,
                                        std::shared_ptr<Registration const> registration,
                                        TokenSet const& tokens, Time received_at) {
    if (context.jwks_uri.empty()) {
        co_return co_await from_scim(context, registration, tokens.access);
    }
    if (!tokens.id_token) {
        co_return fail(ErrorCode::id_token_missing, "The workspace did not say who signed in.");
    }
    co_return co_await from_id_token(context, registration, *tokens.id_token, received_at);
}

Task<Result<Principal>> Login::from_id_token(Context const& context,
                                             std::shared_ptr<Registration const> registration,
                                             IdToken const& token, Time received_at) {
    auto const jws = token.expose([](std::string_view text) { return parse_jws(text); });
    if (!jws) {
        co_return fail(jws.error());
    }
    auto const keys =
        co_await parts_.discovery.keys(registration, context.jwks_uri, jws->kid.value_or(""));
    if (!keys) {
        co_return fail(keys.error());
    }
    IdTokenExpectations expected{context.issuer, registration->client.client_id, std::nullopt,
                                 registration->nonce_required, received_at};
    if (!context.nonce.empty()) {
        expected.nonce = Nonce(context.nonce);
    }
    auto const claims = verify_id_token(*jws, **keys, expected);
    if (!claims) {
        co_return fail(claims.error());
    }
    std::string const name = !claims->preferred_username.empty() ? claims->preferred_username
                             : !claims->email.empty()            ? claims->email
                                                                 : clean_text(claims->sub);
    co_return Principal{claims->sub, name, claims->name};
}

Task<Principal> Login::from_scim(Context const& context,
                                 std::shared_ptr<Registration const> registration,
                                 AccessToken const& token) {
    // A token without the right scope may be refused here (facts 9), so this alone fails no
    // sign-in.
    Principal unknown{"unknown", "", ""};
    auto const workspace = registration->hosts.admit(context.workspace);
    if (!workspace) {
        co_return unknown;
    }
    HttpRequest request;
    request.url = scim_me_url(*workspace);
    request.headers.add("Accept", "application/json");
    request.authorization = token.expose(
        [](std::string_view text) { return Secret::from("Bearer " + std::string(text)); });
    auto const answer =
        co_await parts_.http.send(std::move(request), limits_for(*registration, context.workspace));
    if (!answer || answer->status != 200) {
        co_return unknown;
    }
    co_return answer->body.expose([&](std::string_view text) {
        auto const parsed = parse_json(text);
        if (!parsed || !parsed->is_object()) {
            return unknown;
        }
        auto const& me = parsed->get_object();
        auto const id = string_at(me, "id");
        if (!id || id->empty()) {
            return unknown;
        }
        return Principal{"scim:" + clean_text(*id),
                         clean_text(string_at(me, "userName").value_or("")),
                         clean_text(string_at(me, "displayName").value_or(""))};
    });
}

Task<void> Login::recover(std::vector<SpoolEntry> entries) {
    for (auto& entry : entries) {
        auto spooled = Context::read(entry.answer);
        if (!spooled) {
            continue;
        }
        auto const finished = co_await complete(std::move(spooled->context),
                                                std::move(spooled->answer), entry.received_at);
        bool const later = !finished && finished.error().code() == ErrorCode::store_unavailable;
        if (later) {
            continue;
        }
        parts_.spool.committed(entry.seq, parts_.clock.now());
        log(LogLevel::info, "login_recovered",
            finished ? "A sign-in that a crash had cut off is finished."
                     : "A sign-in that a crash had cut off is dropped.",
            {{"code", finished ? std::string_view("ok") : finished.error().name()}});
    }
}

}  // namespace brickgate
