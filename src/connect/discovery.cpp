// SPDX-License-Identifier: Apache-2.0
#include "connect/discovery.h"

#include "connect/outbound.h"
#include "databricks/endpoints.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds metadata_fresh = 1h;
constexpr Milliseconds metadata_stale = 24h;  // better than none while the host is away
constexpr Milliseconds failure_kept = 5s;     // so that a storm of sign-ins asks a dead host once
constexpr Milliseconds keys_fresh = 24h;
constexpr Milliseconds keys_refetch = 60s;  // for a kid that is not there (T18)
constexpr std::size_t metadata_bytes_max = 128 * 1024;
constexpr std::size_t keys_bytes_max = 256 * 1024;
constexpr std::size_t hosts_max = 10'000;

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
    metadata->issuer = Issuer(registration.fixed_workspace->origin() + "/oidc");
    metadata->authorization_endpoint = registration.endpoints->authorization_endpoint;
    metadata->token_endpoint = registration.endpoints->token_endpoint;
    metadata->jwks_uri = registration.endpoints->jwks_uri;
    return metadata;
}

}  // namespace

struct Discovery::State {
    struct Known {
        Metadata metadata = fail(ErrorCode::discovery_failed, "not asked yet");
        Time at{};
    };
    struct KnownKeys {
        std::shared_ptr<JwkSet const> keys;
        Time at{};  // of the last successful fetch
        Time asked_at{};
    };

    Task<Metadata> fetch_metadata(std::shared_ptr<Registration const> registration,
                                  WorkspaceHost workspace);
    Task<Keys> fetch_keys(std::shared_ptr<Registration const> registration, std::string jwks_uri);

    HttpClient& http;
    Clock& clock;
    std::map<std::string, Known> metadata;
    std::map<std::string, KnownKeys> keys;
    SingleFlight<std::string, Metadata> metadata_flights;
    SingleFlight<std::string, Keys> keys_flights;
};

Discovery::Discovery(HttpClient& http, Clock& clock)
    : state_(new State{http, clock, {}, {}, {}, {}}) {}
Discovery::~Discovery() = default;

Task<Metadata> Discovery::metadata(std::shared_ptr<Registration const> registration,
                                   WorkspaceHost workspace) {
    if (registration->endpoints && registration->fixed_workspace == workspace) {
        co_return fixed(*registration);
    }
    Time const now = state_->clock.now();
    auto const known = state_->metadata.find(workspace.origin());
    if (known != state_->metadata.end()) {
        bool const good = known->second.metadata.has_value();
        if (now - known->second.at < (good ? metadata_fresh : failure_kept)) {
            co_return known->second.metadata;
        }
    }
    std::string const key = workspace.origin();
    auto work = [this, registration, workspace] {
        return state_->fetch_metadata(registration, workspace);
    };
    co_return co_await state_->metadata_flights.join(key, std::move(work));
}

Task<Metadata> Discovery::State::fetch_metadata(std::shared_ptr<Registration const> registration,
                                                WorkspaceHost workspace) {
    HttpLimits limits = limits_for(*registration, workspace.origin());
    limits.body_bytes_max = metadata_bytes_max;
    auto answer =
        co_await http.send(make_discovery_request(discovery_url(workspace)), std::move(limits));
    Metadata found = fail(ErrorCode::discovery_failed, "");
    if (!answer) {
        found = fail(cannot_discover(answer.error().error));
    } else if (auto parsed = parse_discovery_response(*answer, metadata_policy(workspace))) {
        found = std::make_shared<ServerMetadata const>(std::move(*parsed));
    } else {
        found = fail(parsed.error());
    }
    Time const now = clock.now();
    auto& slot = metadata[workspace.origin()];
    bool const away = !found && found.error().code() == ErrorCode::discovery_failed;
    if (away && slot.metadata && now - slot.at < metadata_stale) {
        co_return slot.metadata;
    }
    slot = {found, now};
    if (metadata.size() > hosts_max) {
        metadata.clear();
    }
    co_return found;
}

Task<Keys> Discovery::keys(std::shared_ptr<Registration const> registration, std::string jwks_uri,
                           std::string kid_wanted) {
    Time const now = state_->clock.now();
    if (auto const known = state_->keys.find(jwks_uri);
        known != state_->keys.end() && known->second.keys) {
        auto const& slot = known->second;
        bool const has_it = kid_wanted.empty() || !slot.keys->candidates(kid_wanted).empty();
        bool const asked_lately = now - slot.asked_at < keys_refetch;
        if (now - slot.at < keys_fresh && (has_it || asked_lately)) {
            co_return slot.keys;
        }
    }
    auto work = [this, registration, jwks_uri] {
        return state_->fetch_keys(registration, jwks_uri);
    };
    co_return co_await state_->keys_flights.join(jwks_uri, std::move(work));
}

Task<Keys> Discovery::State::fetch_keys(std::shared_ptr<Registration const> registration,
                                        std::string jwks_uri) {
    HttpLimits limits = limits_for(*registration, origin_of(jwks_uri));
    limits.body_bytes_max = keys_bytes_max;
    limits.too_large = ErrorCode::jwks_invalid;
    keys[jwks_uri].asked_at = clock.now();
    auto answer = co_await http.send(make_discovery_request(jwks_uri), std::move(limits));
    if (!answer) {
        co_return fail(answer.error().error);
    }
    if (answer->status != 200) {
        co_return fail(ErrorCode::jwks_invalid, "The published keys could not be read.");
    }
    auto parsed = answer->body.expose([](std::string_view text) { return JwkSet::parse(text); });
    if (!parsed) {
        co_return fail(parsed.error());
    }
    if (keys.size() > hosts_max) {
        keys.clear();
    }
    auto& slot = keys[jwks_uri];
    slot.keys = std::make_shared<JwkSet const>(std::move(*parsed));
    slot.at = slot.asked_at = clock.now();
    co_return slot.keys;
}

}  // namespace brickgate
