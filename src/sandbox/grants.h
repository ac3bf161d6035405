// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the practice Databricks knows: apps, people, codes, token families; and its verdict on every
// presentation of a code or a refresh token (RFC 6749, RFC 7636, RFC 9700 section 4.14). Pure
// state: time is an argument, nothing is awaited. One thread.
#include <boost/json.hpp>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "sandbox/settings.h"

namespace brickgate::sandbox {

struct App {
    std::string client_id;
    std::string client_secret = {};               // empty: public
    std::vector<std::string> redirect_uris = {};  // compared byte for byte
    std::string name = {};
    std::vector<std::string> scopes = {};  // that it may ask for; empty: all
};
struct Person {
    std::string email;
    std::string name;
};

struct AuthorizeRequest {
    std::string client_id, redirect_uri, scope, state, nonce, code_challenge, code_challenge_method;
};

struct OAuthFailure {
    int status = 400;
    std::string error, description;
    std::string verdict = {};  // what the judge makes of it
    std::string family = {};   // where one is concerned
};

struct Issued {
    std::string family, refresh_token, scope, client_id, nonce;
    Person person;
    Seconds expires_in{0};
    std::uint64_t generation = 1;
    std::string verdict;
};

// Who an access token speaks for, and for what.
struct Access {
    std::string family, scope;
    Person person;
    Time expires_at{};
};

class Grants {
 public:
    explicit Grants(Random& random) : random_(random) {}

    std::vector<App> apps;
    std::vector<Person> people;
    Settings settings;

    App const* app(std::string const& client_id) const;
    // The words of `scope` that the app may not ask for.
    std::string not_assigned(App const& app, std::string const& scope) const;

    std::string make_code(AuthorizeRequest const& request, Person const& person, Time now);
    // A code is gone with its first presentation; a second one ends what the first one gave.
    std::expected<Issued, OAuthFailure> redeem(std::string const& code,
                                               std::string const& client_id,
                                               std::string const& redirect_uri,
                                               std::string const& verifier, Time now);
    // `scope`: empty, or no more than was granted.
    std::expected<Issued, OAuthFailure> refresh(std::string const& token,
                                                std::string const& client_id,
                                                std::string const& scope, Time now);
    Issued client_credentials(std::string const& client_id, std::string const& scope);

    void register_access(Issued const& issued, std::string const& token, Time now);
    // nullopt: unknown, expired or revoked.
    std::optional<Access> access(std::string const& token, Time now) const;

    void expire_access_tokens();
    void revoke(std::string const& family);       // "": all
    boost::json::array families(Time now) const;  // in the order of their beginnings
    boost::json::object snapshot() const;         // survives a restart of the demo
    void restore(boost::json::object const& snapshot);

 private:
    struct Code {
        AuthorizeRequest request;
        Person person;
        Time expires_at{};
        bool used = false;
        std::string family;  // that it gave
    };
    struct Family {
        std::string id, client_id, scope;
        Person person;
        std::string current;   // the living refresh token
        std::string previous;  // what became of the one before, for a grace period
        Time previous_used_at{};
        Time current_expires_at{};
        Time session_ends_at{};
        bool dead = false;
        std::uint64_t generation = 1;
        std::uint64_t reuses = 0;
        std::map<std::string, std::uint64_t> presented;  // by hash

        bool is_alive(Time now) const;
    };

    std::expected<void, OAuthFailure> check_code(Code const& code, std::string const& client_id,
                                                 std::string const& redirect_uri,
                                                 std::string const& verifier, Time now) const;
    std::expected<Issued, OAuthFailure> present_old(Family& family, std::string const& token,
                                                    Time now);
    OAuthFailure dead_token(std::string verdict, std::string const& family) const;
    std::string next_family();
    Issued issue(Family& family, bool with_refresh, Time now);
    void forget_old(Time now);

    Random& random_;
    std::map<std::string, Code> codes_;
    std::map<std::string, Family> families_;
    std::map<std::string, std::string>
        family_of_;                         // hash of a refresh token -> family; dead ones too
    std::map<std::string, Access> access_;  // by hash
    std::size_t forget_at_ = 1024;
};

// How the judge names a token: the first eight bytes of its SHA-256, in hex.
std::string token_hash(std::string const& token);
bool has_word(std::string const& scope, std::string_view word);

}  // namespace brickgate::sandbox
