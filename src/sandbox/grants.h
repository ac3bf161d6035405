// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the practice Databricks knows: apps, people, codes, token families; and its judgement of
// every presentation of a refresh token. Time is an argument. One thread.
#include <boost/json.hpp>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace brickgate::sandbox {

struct App {
    std::string client_id;
    std::string client_secret;               // empty: public
    std::vector<std::string> redirect_uris;  // compared byte for byte
    std::string name;
};
struct Person {
    std::string email;
    std::string name;
};

struct Settings {
    std::string refresh_mode = "strict";  // reusable | grace | strict | revoke
    Seconds access_ttl{3600};
    Seconds refresh_ttl{7 * 24 * 3600};
    Seconds session_ttl{0};  // 0: no absolute end
    Seconds grace{60};
    bool legacy_paths = false;             // the tutorial's /oauth2/*
    std::string iss_in_callback = "none";  // none | right | wrong | promised
    std::string issue = "all";      // all | no_nonce | wrong_nonce | no_id_token | no_refresh_token
    std::string id_token = "good";  // alg_none | hs256 | bad_signature | wrong_aud | ... see docs
    std::string scope = "asked";    // asked | extra | fewer
};
// nullopt: an unknown name or value, which is told.
std::optional<std::string> apply(Settings& settings, boost::json::object const& change);
boost::json::object to_json(Settings const& settings);

struct AuthorizeRequest {
    std::string client_id, redirect_uri, scope, state, nonce, code_challenge, code_challenge_method;
};

struct OAuthFailure {
    int status = 400;
    std::string error, description;
};

struct Issued {
    std::string family, access_token, refresh_token, scope, client_id, nonce;
    Person person;
    Seconds expires_in{0};
};

class Grants {
 public:
    Grants(Random& random) : random_(random) {}

    std::vector<App> apps;
    std::vector<Person> people;
    Settings settings;

    App const* app(std::string const& client_id) const;
    std::string make_code(AuthorizeRequest const& request, Person const& person, Time now);
    std::expected<Issued, OAuthFailure> redeem(std::string const& code,
                                               std::string const& client_id,
                                               std::string const& redirect_uri,
                                               std::string const& verifier, Time now);
    std::expected<Issued, OAuthFailure> refresh(std::string const& token,
                                                std::string const& client_id, Time now);
    std::expected<Issued, OAuthFailure> client_credentials(std::string const& client_id,
                                                           std::string const& scope, Time now);
    // The person behind an access token that is good now.
    std::optional<Person> who(std::string const& access_token, Time now) const;
    std::string why_not(std::string const& access_token, Time now) const;
    void register_access(Issued const& issued, std::string const& token, Time now);

    void expire_access_tokens();
    void revoke(std::string const& family);
    // Every family: is it alive, which refresh token is the living one (hashed), how often each was
    // presented.
    boost::json::array families() const;
    boost::json::object snapshot() const;  // survives a restart of the demo
    void restore(boost::json::object const& snapshot);

 private:
    struct Code {
        AuthorizeRequest request;
        Person person;
        Time expires_at{};
        bool used = false;
    };
    struct Family {
        std::string id, client_id, scope;
        Person person;
        std::string current;  // the living refresh token
        std::string previous;
        Time previous_used_at{};
        Time current_expires_at{};
        Time session_ends_at{};
        bool dead = false;
        std::uint64_t generation = 1;
        std::uint64_t reuses = 0;
        std::map<std::string, std::uint64_t> presented;
    };
    struct Access {
        std::string family;
        Person person;
        Time expires_at{};
    };
    Issued issue(Family& family, bool with_refresh, Time now);

    Random& random_;
    std::map<std::string, Code> codes_;
    std::map<std::string, Family> families_;
    std::map<std::string, std::string> family_of_;  // refresh token -> family, dead ones too
    std::map<std::string, Access> access_;          // by hash
};

std::string token_hash(std::string const& token);

}  // namespace brickgate::sandbox
