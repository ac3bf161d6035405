// SPDX-License-Identifier: Apache-2.0
#include "connect/discovery.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/log.h"
#include "connect/answer_cache.h"
#include "connect/outbound.h"
#include "databricks/endpoints.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds metadata_fresh = 1h;
constexpr Milliseconds keys_fresh = 1h;  // where the server does not say
constexpr Milliseconds keys_fresh_min = 10min;
constexpr Milliseconds keys_fresh_max = 24h;
constexpr Milliseconds keys_refetch = 60s;  // for a kid that is not there (T18)
constexpr Milliseconds total_max = 10s;     // a person waits in front of it
constexpr std::size_t metadata_bytes_max = 128 * 1024;
constexpr std::size_t keys_bytes_max = 256 * 1024;
constexpr std::size_t addresses_max = 4096;

using Metadata = Result<std::shared_ptr<ServerMetadata const>>;
using Keys = Result<std::shared_ptr<JwkSet const>>;

Error cannot_discover(Error const& cause) {
    if (cause.code() == ErrorCode::egress_denied || cause.code() == ErrorCode::tls_failed) {
        return cause;
    }
    return Error(ErrorCode::discovery_failed,
                 "The workspace's discovery document could not be read: " + cause.message());
}

std::shared_ptr<ServerMetadata const> fixed(Registration const& registration) {
    auto metadata = std::make_shared<ServerMetadata>();
    // Nobody told us what this server calls itself; its origin is what an iss would have to be.
    metadata->issuer = Issuer(registration.fixed_workspace->origin());
    metadata->authorization_endpoint = registration.endpoints->authorization_endpoint;
    metadata->token_endpoint = registration.endpoints->token_endpoint;
    metadata->jwks_uri = registration.endpoints->jwks_uri;
    return metadata;
}

// T13: an issuer on another host (unified hosts have that) must be served by this registration too,
// because its token endpoint will see the client's secret.
MetadataPolicy policy_for(std::shared_ptr<Registration const> const& registration,
                          WorkspaceHost const& workspace) {
    MetadataPolicy policy = metadata_policy(workspace);
    if (policy.other_issuer_allowed) {
        policy.other_issuer_allowed = [by_name = policy.other_issuer_allowed,
                                       registration](std::string_view issuer) {
            return by_name(issuer) && registration->hosts.admit(origin_of(issuer)).has_value();
        };
    }
    return policy;
}

// RFC 9111 section 5.2.2.1, within our own bounds.
Milliseconds fresh_for(HttpResponse const& response) {
    auto const header = response.headers.get("Cache-Control").value_or("");
    auto const at = header.find("max-age=");
    if (at == std::string_view::npos) {
        return keys_fresh;
    }
    auto const digits = header.substr(at + 8);
    std::int64_t seconds = 0;
    auto const [end, failed] =
        std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (failed == std::errc::result_out_of_range) {
        return keys_fresh_max;
    }
    bool const usable = failed == std::errc() && seconds >= 0;
    constexpr std::int64_t most = keys_fresh_max / 1s;
    return usable ? std::max<Milliseconds>(keys_fresh_min, Seconds(std::min(seconds, most)))
                  : keys_fresh;
}

bool has(JwkSet const& keys, std::string const& kid) {
    return kid.empty() || !keys.candidates(kid).empty();
}

}  // namespace

struct Discovery::State {
    Task<Metadata> fetch_metadata(std::string key, std::shared_ptr<Registration const> registration,
                                  WorkspaceHost workspace);
    Task<Metadata> ask(std::shared_ptr<Registration const> registration, WorkspaceHost workspace);
    Task<Result<Issuer>> issuer_of(std::shared_ptr<Registration const> registration,
                                   WorkspaceHost workspace);
    Task<Keys> fetch_keys(std::shared_ptr<Registration const> registration, std::string jwks_uri);

    bool asked_again_lately(std::string const& jwks_uri, Instant now) const {
        auto const found = asked_again.find(jwks_uri);
        return found != asked_again.end() && now < found->second + keys_refetch;
    }
    void note_asked_again(std::string const& jwks_uri, Instant now) {
        if (asked_again.size() >= addresses_max) {
            std::erase_if(asked_again,
                          [&](auto const& entry) { return now >= entry.second + keys_refetch; });
        }
        asked_again[jwks_uri] = now;
    }

    HttpClient& http;
    Clock& clock;
    AnswerCache<ServerMetadata> metadata;
    AnswerCache<JwkSet> keys;
    std::unordered_map<std::string, Instant> asked_again;  // for a kid that was not there
    SingleFlight<std::string, Metadata> metadata_flights;
    SingleFlight<std::string, Keys> keys_flights;
};

Discovery::Discovery(HttpClient& http, Clock& clock)
    : state_(std::make_unique<State>(http, clock)) {}
Discovery::~Discovery() = default;

Task<Metadata> Discovery::metadata(std::shared_ptr<Registration const> registration,
                                   WorkspaceHost workspace) {
    if (registration->endpoints && registration->fixed_workspace == workspace) {
        co_return fixed(*registration);
    }
    // Per registration, because each has its own idea of which hosts and addresses are allowed.
    std::string const key = registration->id.value() + ' ' + workspace.origin();
    if (auto known = state_->metadata.find(key, state_->clock.steady())) {
        co_return std::move(*known);
    }
    State* const state = state_.get();
    auto work = [state, key, registration, workspace] {
        return state->fetch_metadata(key, registration, workspace);
    };
    co_return co_await state->metadata_flights.join(key, std::move(work));
}

// Where the OAuth root of this workspace is (facts 1.3). A unified host serves a whole account: its
// own /oidc may sign people in to another one, so what the host says of itself counts, and without
// an answer nobody is sent there. One that has no such document is a workspace by another name.
Task<Result<Issuer>> Discovery::State::issuer_of(std::shared_ptr<Registration const> registration,
                                                 WorkspaceHost workspace) {
    Issuer const usual(workspace.origin() + "/oidc");
    if (workspace.kind() != HostKind::unified) {
        co_return usual;
    }
    auto request = make_discovery_request(host_config_url(workspace));
    HttpLimits limits = limits_for(*registration, request.url);
    limits.body_bytes_max = metadata_bytes_max;
    limits.total = total_max;
    auto const answer = co_await http.send(std::move(request), std::move(limits));
    if (!answer) {
        co_return fail(cannot_discover(answer.error().error));
    }
    if (answer->status == 404) {
        co_return usual;
    }
    auto const config = parse_host_config(*answer, workspace);
    if (!config) {
        co_return fail(config.error());
    }
    auto const of_account = account_issuer(workspace, config->account_id);
    Issuer const issuer = config->issuer.value_or(of_account.value_or(usual));
    if (!registration->hosts.admit(origin_of(issuer.value()))) {
        // T12: its token endpoint would see the client's secret.
        co_return fail(Error(ErrorCode::metadata_endpoint_denied,
                             "This workspace's sign-in is on another host, which this gateway "
                             "does not serve.")
                           .with_detail(issuer.value())
                           .with_hint("List that host under databricks.hosts, too."));
    }
    co_return issuer;
}

Task<Metadata> Discovery::State::ask(std::shared_ptr<Registration const> registration,
                                     WorkspaceHost workspace) {
    auto const issuer = co_await issuer_of(registration, workspace);
    if (!issuer) {
        co_return fail(issuer.error());
    }
    auto request = make_discovery_request(discovery_url(*issuer));
    HttpLimits limits = limits_for(*registration, request.url);
    limits.body_bytes_max = metadata_bytes_max;
    limits.total = total_max;
    auto const answer = co_await http.send(std::move(request), std::move(limits));
    if (!answer) {
        co_return fail(cannot_discover(answer.error().error));
    }
    auto policy = policy_for(registration, workspace);
    policy.issuer_expected = *issuer;
    auto parsed = parse_discovery_response(*answer, policy);
    if (!parsed) {
        co_return fail(std::move(parsed.error()));
    }
    co_return std::make_shared<ServerMetadata const>(std::move(*parsed));
}

Task<Metadata> Discovery::State::fetch_metadata(std::string key,
                                                std::shared_ptr<Registration const> registration,
                                                WorkspaceHost workspace) {
    auto found = co_await ask(registration, workspace);
    Instant const now = clock.steady();
    if (found) {
        metadata.keep(key, *found, now, metadata_fresh);
        co_return found;
    }
    auto const code = found.error().code();
    bool const away = code == ErrorCode::discovery_failed || code == ErrorCode::egress_denied ||
                      code == ErrorCode::tls_failed;
    log(LogLevel::warning, "discovery_failed", found.error().message(),
        {{"code", found.error().name()},
         {"workspace", workspace.origin()},
         {"detail", found.error().detail()}});
    co_return metadata.keep_failure(key, std::move(found.error()), now, away);
}

Task<Keys> Discovery::keys(std::shared_ptr<Registration const> registration, std::string jwks_uri,
                           std::string kid_wanted) {
    State* const state = state_.get();
    Instant const now = state->clock.steady();
    if (auto known = state->keys.find(jwks_uri, now)) {
        if (!*known || has(***known, kid_wanted)) {
            co_return std::move(*known);
        }
        bool const on_its_way = state->keys_flights.is_in_the_air(jwks_uri);
        if (!on_its_way && state->asked_again_lately(jwks_uri, now)) {
            co_return std::move(*known);  // without the wanted key: the check fails closed
        }
        state->note_asked_again(jwks_uri, now);
    }
    auto work = [state, registration, jwks_uri] {
        return state->fetch_keys(registration, jwks_uri);
    };
    auto keys = co_await state->keys_flights.join(jwks_uri, std::move(work));
    if (keys && !has(**keys, kid_wanted)) {
        state->note_asked_again(jwks_uri, state->clock.steady());
    }
    co_return keys;
}

Task<Keys> Discovery::State::fetch_keys(std::shared_ptr<Registration const> registration,
                                        std::string jwks_uri) {
    auto request = make_discovery_request(jwks_uri);
    HttpLimits limits = limits_for(*registration, jwks_uri);
    limits.body_bytes_max = keys_bytes_max;
    limits.total = total_max;
    limits.too_large = ErrorCode::jwks_invalid;
    auto const answer = co_await http.send(std::move(request), std::move(limits));
    Instant const now = clock.steady();
    if (!answer) {
        bool const away = answer.error().error.code() != ErrorCode::jwks_invalid;
        co_return keys.keep_failure(jwks_uri, answer.error().error, now, away);
    }
    if (answer->status != 200) {
        bool const away = answer->status >= 500 || answer->status == 429;
        Error error(ErrorCode::jwks_invalid, "The published keys could not be read: status " +
                                                 std::to_string(answer->status) + ".");
        co_return keys.keep_failure(jwks_uri, std::move(error), now, away);
    }
    auto parsed = answer->body.expose([](std::string_view text) { return JwkSet::parse(text); });
    if (!parsed) {
        co_return keys.keep_failure(jwks_uri, std::move(parsed.error()), now, false);
    }
    auto const value = std::make_shared<JwkSet const>(std::move(*parsed));
    keys.keep(jwks_uri, value, now, fresh_for(*answer));
    co_return value;
}

}  // namespace brickgate
