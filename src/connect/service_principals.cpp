// SPDX-License-Identifier: Apache-2.0
#include "connect/service_principals.h"

#include "base/log.h"
#include "connect/outbound.h"
#include "events/event.h"
#include "oauth/token_endpoint.h"

namespace brickgate {

Task<Result<Connection>> ServicePrincipals::connect(Wish wish) {
    auto const registration = parts_.registration;
    auto const workspace = registration->hosts.admit(wish.workspace);
    if (!workspace) {
        co_return fail(workspace.error());
    }
    auto credential = PrincipalCredential::of(wish.client_id, std::move(wish.client_secret));
    if (!credential) {
        co_return fail(credential.error());
    }
    auto const metadata = co_await parts_.discovery.metadata(registration, *workspace);
    if (!metadata) {
        co_return fail(metadata.error());
    }
    Connection wanted;
    wanted.tenant = "default";
    wanted.registration = registration->id;
    wanted.subject = std::move(wish.subject);
    wanted.workspace = workspace->origin();
    wanted.issuer = (*metadata)->issuer;
    wanted.token_endpoint = (*metadata)->token_endpoint;
    wanted.principal = {wish.client_id, wish.client_id, ""};
    wanted.scopes = wish.scopes.empty() ? Scopes{"all-apis"} : wish.scopes;
    co_return co_await prove_and_keep(std::move(wanted), std::move(*credential));
}

Task<Result<ServicePrincipals::Held>> ServicePrincipals::held(ConnectionId id) {
    auto found = co_await parts_.vault.find(std::move(id));
    if (!found) {
        co_return fail(found.error());
    }
    if (!*found) {
        co_return fail(ErrorCode::connection_unknown, "There is no connection with this id.");
    }
    Connection row = std::move(**found);
    if (row.registration != parts_.registration->id) {
        co_return fail(ErrorCode::invalid_request,
                       "This connection is a person's: it has no secret.");
    }
    if (row.state == ConnectionState::disconnected) {
        co_return fail(ErrorCode::disconnected, "This connection was ended.");
    }
    auto const packed = parts_.vault.open_refresh(row);
    if (!packed) {
        co_return fail(packed.error());
    }
    auto credential = PrincipalCredential::unpack(*packed);
    if (!credential) {
        co_return fail(credential.error());
    }
    // Who it is and where, without what a refresh may be doing to the row meanwhile.
    Connection who;
    who.id = row.id;
    who.tenant = row.tenant;
    who.registration = row.registration;
    who.subject = row.subject;
    who.workspace = row.workspace;
    who.issuer = row.issuer;
    who.token_endpoint = row.token_endpoint;
    who.principal = row.principal;
    who.scopes = row.scopes;
    Held out{std::move(who), std::move(*credential)};
    co_return std::move(out);
}

Task<Result<Connection>> ServicePrincipals::add_secret(ConnectionId id, Secret client_secret) {
    auto known = co_await held(std::move(id));
    if (!known) {
        co_return fail(known.error());
    }
    if (auto const added = known->credential.add(std::move(client_secret)); !added) {
        co_return fail(added.error());
    }
    co_return co_await prove_and_keep(std::move(known->row), std::move(known->credential));
}

Task<Result<Connection>> ServicePrincipals::drop_older_secret(ConnectionId id) {
    auto known = co_await held(std::move(id));
    if (!known) {
        co_return fail(known.error());
    }
    if (known->credential.secrets() < 2) {
        co_return fail(ErrorCode::invalid_request, "This connection has one secret only.");
    }
    known->credential.keep_only(0);
    co_return co_await prove_and_keep(std::move(known->row), std::move(known->credential));
}

Task<Result<Connection>> ServicePrincipals::prove_and_keep(Connection wanted,
                                                           PrincipalCredential credential) {
    auto request = make_client_credentials_request(wanted.token_endpoint,
                                                   credential.authentication(0), wanted.scopes);
    HttpLimits limits = limits_for(*parts_.registration, request.url);
    limits.too_large = ErrorCode::token_too_large;
    auto const answer = co_await parts_.http.send(std::move(request), std::move(limits));
    if (!answer) {
        co_return fail(answer.error().error);
    }
    Time const now = parts_.clock.now();
    auto tokens = parse_token_response(*answer, now);
    if (!tokens) {
        co_return fail(tokens.error());
    }
    if (tokens->scopes && !tokens->scopes->empty()) {
        wanted.scopes = *tokens->scopes;
    }
    bool const again = !wanted.id.value().empty();
    NewTokens fresh;
    fresh.tokens = std::move(*tokens);
    fresh.tokens.refresh = credential.pack();
    fresh.received_at = now;
    fresh.refresh_due_at = parts_.refresh_due(now, fresh.tokens.expires_at);
    // Nothing it presents is ever spent: as a server that does not rotate is known to be.
    wanted.same_refresh_token_count = 3;
    std::vector<EventRow> events{connection_connected(now, wanted, again)};
    auto kept =
        co_await parts_.vault.connect(std::move(wanted), std::move(fresh), std::move(events));
    if (kept) {
        log(LogLevel::info, "connected", "A service principal is connected.",
            {{"connection", kept->id.value()}, {"workspace", kept->workspace}, {"again", again}});
    }
    co_return kept;
}

}  // namespace brickgate
