// SPDX-License-Identifier: Apache-2.0
#include "connect/login.h"

#include <sodium.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "connect/login_context.h"
#include "connect/outbound.h"
#include "events/event.h"
#include "oauth/token_endpoint.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Seconds login_life = 600s;       // T01
constexpr Milliseconds remembered = 1h;    // after its end: people come back from lunch
constexpr Milliseconds send_before = 25s;  // a code is fresh or it is not sent (D.5 T2)
constexpr std::size_t subject_bytes_max = 200;

std::string suffix_of(std::string_view state_hash) {
    return hex_encode(state_hash.substr(0, 4));
}

bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

// T09: a browser keeps the cookies of its last eight attempts only. One that has begun others since
// may have had this one's; whether it had, nothing depends on but the words that it is told.
bool was_given_up(PresentedCookie const& presented, LoginRow const& row) {
    auto const begun = std::chrono::floor<Seconds>(row.created_at);  // cookies know seconds
    return !presented.value && presented.newest_other && *presented.newest_other >= begun;
}

// The endpoint is not part of the seal of this attempt, the issuer is: a database that was tampered
// with could at most change the path.
Result<void> check_endpoint(Registration const& registration, LoginRow const& row) {
    bool const own = origin_of(row.token_endpoint) == origin_of(row.issuer.value());
    if (own || is_configured_endpoint(registration, row.token_endpoint)) {
        return {};
    }
    return fail(ErrorCode::metadata_endpoint_denied,
                "The token endpoint is not on the issuer's host.");
}

Error exchange_error(TransportError const& failure) {
    bool const says_enough =
        failure.sent == Sent::not_sent || failure.error.code() == ErrorCode::token_too_large;
    if (says_enough) {
        return failure.error;
    }
    return Error(ErrorCode::outcome_unknown, "The workspace's answer to the sign-in was lost.")
        .with_detail(failure.error.message());
}

Result<Scopes> scopes_to_ask(Registration const& registration,
                             std::optional<Scopes> const& wished) {
    if (!wished) {
        return registration.scopes;
    }
    if (wished->empty()) {
        return fail(ErrorCode::scope_denied, "No scope was asked for.");
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

Result<void> Login::check(LoginWish const& wish) const {
    bool const listed =
        wish.return_to.empty() || std::ranges::find(parts_.return_to_allowed, wish.return_to) !=
                                      parts_.return_to_allowed.end();
    if (!listed) {
        return fail(ErrorCode::return_to_denied,
                    "return_to is not one of the configured addresses.");
    }
    if (clean_text(wish.subject, subject_bytes_max) != wish.subject) {
        return fail(ErrorCode::invalid_request, "subject is at most 200 bytes of printable text.");
    }
    return {};
}

Task<Result<LoginStart>> Login::begin(std::shared_ptr<Registration const> registration,
                                      LoginWish wish) {
    if (auto const checked = check(wish); !checked) {
        co_return fail(checked.error());
    }
    auto const scopes = scopes_to_ask(*registration, wish.scopes);
    if (!scopes) {
        co_return fail(scopes.error());
    }
    // The fixed one as it is configured, with the number that stood in its ?o=.
    auto const& fixed = registration->fixed_workspace;
    auto const workspace = wish.workspace.empty() && fixed
                               ? Result<WorkspaceHost>(*fixed)
                               : registration->hosts.admit(wish.workspace);
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
    // A workspace's own host says the same by its name, and not every link to it has the number.
    row.workspace_id = workspace->kind() == HostKind::unified ? workspace->workspace_id() : "";
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
    auto parameters = CallbackParameters::parse(query);
    wipe(query);
    if (!parameters) {
        co_return std::unexpected(LoginFailed{std::move(parameters.error()), {}, {}, {}});
    }
    std::string const state_hash = sha256(parameters->state.value());
    auto const presented = cookie(suffix_of(state_hash));
    if (!presented) {
        co_return std::unexpected(LoginFailed{presented.error(), {}, {}, {}});
    }
    // From here on the attempt is used up, whatever comes (T04).
    auto taken = co_await parts_.vault.take_login(state_hash);
    if (!taken) {
        co_return std::unexpected(LoginFailed{std::move(taken.error()), {}, {}, {}});
    }
    if (!*taken) {
        Error unknown(ErrorCode::state_unknown, "This sign-in was used already, or is too old.");
        co_return std::unexpected(LoginFailed{std::move(unknown), {}, {}, {}});
    }
    LoginRow const row = (*taken)->row;
    bool const proved = presented->value && same(sha256(*presented->value), row.cookie_hash);
    LoginFailed failed{
        Error(ErrorCode::state_cookie_missing, "This sign-in was begun in another browser."),
        proved ? row.return_to : "", proved ? row.workspace : "", proved ? row.subject : ""};
    if (row.expires_at <= parts_.clock.now()) {
        // Before the cookie is looked at: it ends with the attempt, and that is no forgery.
        failed.error =
            Error(ErrorCode::login_expired, "This sign-in took longer than ten minutes.");
        co_return std::unexpected(std::move(failed));
    }
    if (!proved && was_given_up(*presented, row)) {
        failed.error = Error(ErrorCode::login_expired,
                             "So many sign-ins were begun after this one that it was given up.");
    }
    if (!proved) {
        co_return std::unexpected(std::move(failed));
    }

    PendingLogin const pending{row.issuer, row.iss_required, row.expires_at};
    auto code = validate_callback(std::move(*parameters), pending, parts_.clock.now());
    if (!code && code.error().code() == ErrorCode::access_denied) {
        co_await note_denied(row);
    }
    Result<LoginFinished> finished = fail(ErrorCode::internal, "");
    if (code) {
        finished = co_await redeem(std::move(*code), std::move(**taken));
    } else {
        finished = fail(std::move(code.error()));
    }
    if (finished) {
        co_return std::move(*finished);
    }
    failed.error = std::move(finished.error());
    log(LogLevel::warning, "login_failed", failed.error.message(),
        {{"code", failed.error.name()},
         {"workspace", row.workspace},
         {"detail", failed.error.detail()}});
    co_return std::unexpected(std::move(failed));
}

Task<Result<void>> Login::sweep() {
    Time const before = parts_.clock.now() - remembered;
    StoreJob const job = [before](StoreTransaction& store) -> Result<void> {
        auto const gone = store.delete_logins_expired_before(before);
        return gone ? Result<void>{} : fail(gone.error());
    };
    co_return co_await parts_.vault.transact(job);
}

Task<void> Login::note_denied(LoginRow const& row) {
    EventRow const event =
        login_denied(parts_.clock.now(), row.workspace, row.subject, ErrorCode::access_denied);
    StoreJob const note = [&event](StoreTransaction& store) { return store.append_event(event); };
    if (auto const noted = co_await parts_.vault.transact(note); !noted) {
        log(LogLevel::warning, "event_lost", noted.error().message(), {{"type", event.type}});
    }
}

Task<Result<LoginFinished>> Login::redeem(ValidatedCode code, Vault::TakenLogin taken) {
    Context context = Context::of(taken);
    auto const registration = registration_of(context.registration);
    if (!registration || !registration->hosts.admit(context.workspace)) {
        co_return fail(ErrorCode::host_denied, "This workspace is no longer served.");
    }
    if (auto const checked = check_endpoint(*registration, taken.row); !checked) {
        co_return fail(checked.error());
    }
    auto const verifier = PkceVerifier::from(std::move(taken.secrets.verifier));
    if (!verifier) {
        co_return fail(ErrorCode::vault_error, "The sign-in's own record is damaged.");
    }
    auto room = parts_.spool.reserve();
    if (!room) {
        co_return fail(std::move(room.error()));
    }

    HttpLimits limits = limits_for(*registration, context.token_endpoint);
    limits.fresh_connection = true;
    limits.too_large = ErrorCode::token_too_large;
    limits.not_after = parts_.clock.steady() + send_before;
    auto request = make_code_request(context.token_endpoint, registration->client, std::move(code),
                                     RedirectUri(taken.row.redirect_uri), *verifier);
    auto answer = co_await parts_.http.send(std::move(request), std::move(limits));
    if (!answer) {
        co_return fail(exchange_error(answer.error()));
    }
    Time const received_at = parts_.clock.now();
    failpoint("L8");
    SpoolIdentity identity{SpoolKind::login, "login_" + context.attempt, 0, 0, context.attempt};
    auto const seq = co_await parts_.spool.append(std::move(*room), std::move(identity),
                                                  received_at, context.with_answer(*answer));
    failpoint("L9");
    if (!seq) {
        // The answer is still in our hands: the database may take it.
        log(LogLevel::error, "spool_failed", seq.error().message(), {{"code", seq.error().name()}});
    }
    auto done = co_await complete(std::move(context), std::move(*answer), received_at, Run::live);
    if (seq && done.settled) {
        parts_.spool.committed(*seq, parts_.clock.now());
    }
    co_return std::move(done.result);
}

}  // namespace brickgate
