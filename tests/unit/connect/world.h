// SPDX-License-Identifier: Apache-2.0
#pragma once
// A gateway's sign-in with real vault and discovery, a scripted workspace in front of it and a
// browser with a cookie jar. Each test is a conversation between the three.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "connect/login.h"
#include "support/fake_spool.h"
#include "support/manual_timers.h"
#include "support/rsa_signer.h"
#include "support/run_task.h"
#include "support/scripted_http.h"
#include "support/seeded_random.h"
#include "vault/envelope.h"
#include "vault/keyring.h"
#include "vault/memory_store.h"
#include "vault/store_runner.h"

namespace brickgate::testing {

using namespace std::chrono_literals;

inline std::string const origin_a = "https://dbc-a.cloud.databricks.com";
inline std::string const origin_b = "https://dbc-b.cloud.databricks.com";
inline std::string const jwks_address = "https://oregon.cloud.databricks.com/oidc/jwks.json";
inline std::string const client_id = "client-1";
inline std::string const access_text = "access-token-of-the-sandbox";

inline std::string discovery_of(std::string const& origin) {
    return origin + "/oidc/.well-known/oauth-authorization-server";
}
inline std::string token_of(std::string const& origin) {
    return origin + "/oidc/v1/token";
}
inline std::string me_of(std::string const& origin) {
    return origin + "/api/2.0/preview/scim/v2/Me";
}

inline json::object discovery_document(std::string const& origin) {
    return {{"issuer", origin + "/oidc"},
            {"authorization_endpoint", origin + "/oidc/v1/authorize"},
            {"token_endpoint", token_of(origin)},
            {"jwks_uri", jwks_address},
            {"code_challenge_methods_supported", json::array{"S256"}}};
}

inline std::string query_field(std::string_view url, std::string_view name) {
    auto const start = url.find('?');
    auto const fields = form_decode(url.substr(start + 1)).value_or(FormFields{});
    for (auto const& [key, value] : fields) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

// One attempt as the browser sees it.
struct Attempt {
    LoginStart start;
    std::string state() const { return query_field(start.authorize_url, "state"); }
    std::string nonce() const { return query_field(start.authorize_url, "nonce"); }
    std::string challenge() const { return query_field(start.authorize_url, "code_challenge"); }
    std::string answer(std::string const& code = "code-1") const {
        return "code=" + code + "&state=" + state();
    }
};

using Jar = std::map<std::string, std::string>;  // suffix of the cookie's name -> value

class World {
 public:
    World() : discovery(http, clock) {
        set_up_log(LogLevel::error, LogFormat::json);  // refusals are what these tests are about
        std::vector<Secret> roots;
        roots.push_back(Secret::copy_of(std::string(32, 'r')));
        keyring = std::move(*Keyring::open(std::move(roots), store, false, clock.now(), random));
        envelope = std::make_unique<Envelope>(*keyring, random);
        vault = std::make_unique<Vault>(runner, *envelope, clock, random);
        registration.id = RegistrationId("reg_1");
        registration.client.method = ClientAuthentication::Method::client_secret_post;
        registration.client.client_id = ClientId(client_id);
        registration.client.client_secret = Secret::copy_of("s3cret");
        EXPECT_TRUE(registration.hosts.add(origin_a));
        EXPECT_TRUE(registration.hosts.add(origin_b));
        registration.scopes = {"all-apis", "offline_access", "openid"};
        registration.redirect_uri = RedirectUri("http://localhost:3000/callback");
    }

    // The registration as it stands now; later changes need another call.
    std::shared_ptr<Registration const> registered() {
        if (registrations.empty()) {
            registrations.push_back(std::make_shared<Registration const>(copy(registration)));
        }
        return registrations.front();
    }
    static Registration copy(Registration const& r) {
        return {r.id,
                r.client.clone(),
                r.hosts,
                r.fixed_workspace,
                r.scopes,
                r.redirect_uri,
                r.endpoints,
                r.nonce_required,
                r.id_token_required,
                r.allowed_networks};
    }
    void register_anew() {
        registrations.clear();
        registered();
    }

    Login& login() {
        if (!login_) {
            registered();
            login_ = std::make_unique<Login>(Login::Parts{
                registrations, *vault, spool, http, discovery, clock, random, return_to_allowed,
                logins_max, [](Time, Time expires) { return expires - 20min; }, timers});
        }
        return *login_;
    }

    void expect_discovery(std::string const& origin = origin_a) {
        http.expect("GET", discovery_of(origin), 200, json::serialize(discovery_document(origin)));
    }
    void expect_keys() { http.expect("GET", jwks_address, 200, jwk_set({&RsaSigner::first()})); }

    Result<LoginStart> begin(LoginWish wish) {
        return run_task(login().begin(registered(), std::move(wish)));
    }
    // The browser visits /auth and keeps the cookie.
    Attempt visit_auth(Jar& jar, LoginWish wish) {
        auto start = begin(std::move(wish));
        if (!start) {
            ADD_FAILURE() << "the sign-in did not begin: " << start.error().name();
            return {};
        }
        jar[start->cookie_name_suffix] =
            start->cookie_value.expose([](std::string_view text) { return std::string(text); });
        return {std::move(*start)};
    }
    Attempt visit_auth(Jar& jar, std::string const& origin = origin_a, std::string subject = "") {
        LoginWish wish;
        wish.workspace = origin;
        wish.subject = std::move(subject);
        return visit_auth(jar, std::move(wish));
    }

    using Outcome = std::expected<LoginFinished, LoginFailed>;
    static Login::CookieLookup cookies_of(Jar const& jar) {
        return [jar](std::string const& suffix) -> Result<PresentedCookie> {
            auto const found = jar.find(suffix);
            return PresentedCookie{found == jar.end() ? std::nullopt : std::optional(found->second),
                                   std::nullopt};
        };
    }
    Outcome callback(Jar const& jar, std::string const& query) {
        return run_task(login().finish(query, cookies_of(jar)));
    }

    json::object claims(std::string const& nonce, std::string const& origin = origin_a) const {
        auto const now = to_ms(clock.now()) / 1000;
        json::object out{{"iss", origin + "/oidc"}, {"sub", "ann@example.com"},
                         {"aud", client_id},        {"iat", now},
                         {"exp", now + 3600},       {"preferred_username", "ann@example.com"},
                         {"name", "Ann Example"}};
        if (!nonce.empty()) {
            out["nonce"] = nonce;
        }
        return out;
    }
    static json::object tokens(std::string const& id_token) {
        json::object out{{"access_token", access_text},
                         {"token_type", "Bearer"},
                         {"expires_in", 3600},
                         {"refresh_token", "refresh-token-of-the-sandbox"},
                         {"scope", "all-apis offline_access openid"}};
        if (!id_token.empty()) {
            out["id_token"] = id_token;
        }
        return out;
    }
    void expect_tokens(json::object const& body, std::string const& origin = origin_a) {
        http.expect("POST", token_of(origin), 200, json::serialize(body));
    }
    // The workspace accepts the code and says who signed in.
    void expect_good_tokens(Attempt const& attempt, std::string const& origin = origin_a) {
        expect_tokens(tokens(RsaSigner::first().sign(claims(attempt.nonce(), origin))), origin);
    }
    // A whole sign-in; the first one also asks for metadata and keys.
    Outcome sign_in(std::string const& subject = "") {
        Jar jar;
        bool const first = http.calls().empty();
        if (first) {
            expect_discovery();
        }
        auto const attempt = visit_auth(jar, origin_a, subject);
        expect_good_tokens(attempt);
        if (first) {
            expect_keys();
        }
        return callback(jar, attempt.answer());
    }

    std::vector<std::string> event_types() {
        std::vector<std::string> out;
        for (auto const& event : store.rows().events) {
            out.push_back(event.type);
        }
        return out;
    }
    std::size_t connections() { return store.rows().connections.size(); }
    // What every refused sign-in must leave behind: no row, no token, nothing to be taken up later.
    void expect_nothing_left() {
        EXPECT_EQ(store.rows().logins.size(), 0U);
        EXPECT_EQ(connections(), 0U);
        EXPECT_TRUE(spool.take_unresolved().empty());
        EXPECT_EQ(http.count("GET", me_of(origin_a)), 0U);
    }

    ManualClock clock;
    ManualTimers timers{clock};
    SeededRandom random;
    MemoryStore store;
    InlineStoreRunner runner{store};
    std::unique_ptr<Keyring> keyring;
    std::unique_ptr<Envelope> envelope;
    std::unique_ptr<Vault> vault;
    FakeSpool spool;
    ScriptedHttp http;
    Discovery discovery;
    Registration registration;
    std::vector<std::shared_ptr<Registration const>> registrations;
    std::vector<std::string> return_to_allowed{"https://app.example/done"};
    std::size_t logins_max = 10'000;

 private:
    std::unique_ptr<Login> login_;
};

inline void expect_failed(World::Outcome const& outcome, ErrorCode code) {
    if (outcome) {
        ADD_FAILURE() << "the sign-in succeeded, expected " << info_of(code).name;
        return;
    }
    EXPECT_EQ(outcome.error().error.name(), info_of(code).name)
        << outcome.error().error.message() << ' ' << outcome.error().error.detail();
}

}  // namespace brickgate::testing
