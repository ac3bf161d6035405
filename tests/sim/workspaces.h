// SPDX-License-Identifier: Apache-2.0
#pragma once
// The other side: workspaces that let people consent, and token endpoints that rotate refresh
// tokens as one of four kinds of server does. They know the truth about every grant, and tell the
// judge what happens to one. Pure but for the clock of the world, which is never wrong.
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/encoding.h"
#include "net/http_client.h"
#include "sim/dice.h"

namespace brickgate::sim {

enum class Rotation : std::uint8_t {
    reusable,  // the refresh token stays as it is
    grace,     // the one before is taken for a minute more
    strict,    // an old one is refused
    revoke,    // an old one ends the grant
};
std::string_view to_string(Rotation rotation);

struct Grant {
    enum class End : std::uint8_t { none, admin, reuse };
    std::string person;
    std::string host;
    std::string live;  // the refresh token that is good now
    std::string previous;
    Instant previous_until{};
    End end = End::none;
    unsigned minted = 0;
};

struct Minted {  // an access token, as the server knows it
    std::string grant;
    Instant expires_at{};
};

struct TokenAnswer {
    HttpResponse response;
    std::string grant;     // empty: the request named none that is known
    std::string refresh;   // the refresh token that went out; empty: none, or a refusal
    bool rotated = false;  // what was presented is spent
};

class Workspaces {
 public:
    struct Nature {
        Rotation rotation = Rotation::strict;
        Seconds life{300};
        bool omits_unchanged = false;  // a refresh token that stays is not sent again
    };
    Workspaces(Clock const& clock, Nature nature) : clock_(clock), nature_(nature) {}

    // The person consents; the code comes back through the browser.
    std::string authorize(std::string const& person, std::string const& host);
    HttpResponse get(HttpRequest const& request);  // discovery, and who somebody is
    TokenAnswer token(HttpRequest const& request);
    void end(std::string const& grant);  // an admin, in the account console

    Grant const& grant(std::string const& id) const { return grants_.at(id); }
    std::map<std::string, Grant> const& grants() const { return grants_; }
    Minted const* find(std::string const& access_token) const;
    // Would this refresh token be taken now?
    bool good(std::string const& refresh_token) const;
    Nature const& nature() const { return nature_; }
    void on_reuse(std::function<void(std::string const& grant)> tell) { reused_ = std::move(tell); }

    // Names say whose they are: "rt-<grant>-<number>".
    static std::string grant_of(std::string_view token);

 private:
    TokenAnswer redeem(std::string const& code);
    TokenAnswer refresh(std::string const& presented);
    TokenAnswer mint(std::string const& id, bool rotates);

    Clock const& clock_;
    Nature nature_;
    std::map<std::string, Grant> grants_;
    std::map<std::string, std::pair<std::string, std::string>> codes_;  // code: person, host
    std::map<std::string, Minted> access_;
    std::function<void(std::string const&)> reused_;
};

HttpResponse json_response(int status, std::string body);
std::string form_field(HttpRequest const& request, std::string_view name);

}  // namespace brickgate::sim
