// SPDX-License-Identifier: Apache-2.0
#include "sim/workspaces.h"

#include <fmt/format.h>

#include "oauth/metadata.h"

namespace brickgate::sim {

namespace {

constexpr Milliseconds grace = std::chrono::seconds(60);

TokenAnswer refused(std::string_view error) {
    return {json_response(400, fmt::format(R"({{"error":"{}"}})", error)), "", "", false};
}

}  // namespace

std::string_view to_string(Rotation rotation) {
    switch (rotation) {
        case Rotation::reusable:
            return "reusable";
        case Rotation::grace:
            return "grace";
        case Rotation::strict:
            return "strict";
        case Rotation::revoke:
            return "revoke";
    }
    return "";
}

HttpResponse json_response(int status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = Secret::from(std::move(body));
    return response;
}

std::string form_field(HttpRequest const& request, std::string_view name) {
    return request.body.expose([&](std::string_view text) {
        auto const fields = form_decode(text).value_or(FormFields{});
        for (auto const& [key, value] : fields) {
            if (key == name) {
                return value;
            }
        }
        return std::string();
    });
}

std::string Workspaces::grant_of(std::string_view token) {
    auto const first = token.find('-');
    auto const second = token.find('-', first + 1);
    return first == std::string_view::npos || second == std::string_view::npos
               ? std::string()
               : std::string(token.substr(first + 1, second - first - 1));
}

std::string Workspaces::authorize(std::string const& person, std::string const& host) {
    std::string code = fmt::format("code-{}", codes_.size() + 1);
    codes_[code] = {person, host};
    return code;
}

HttpResponse Workspaces::get(HttpRequest const& request) {
    std::string const origin = origin_of(request.url);
    if (request.url.find("/.well-known/") != std::string::npos) {
        return json_response(
            200,
            fmt::format(R"({{"issuer":"{0}/oidc","authorization_endpoint":"{0}/oidc/v1/authorize",)"
                        R"("token_endpoint":"{0}/oidc/v1/token","jwks_uri":"{0}/oidc/jwks.json",)"
                        R"("code_challenge_methods_supported":["S256"]}})",
                        origin));
    }
    auto const* const token = request.authorization.expose(
        [&](std::string_view text) { return find(std::string(text.substr(text.find(' ') + 1))); });
    if (!token || grants_.at(token->grant).host != origin) {
        return json_response(401, "{}");
    }
    return json_response(
        200, fmt::format(R"({{"id":"{0}","userName":"{0}"}})", grants_.at(token->grant).person));
}

TokenAnswer Workspaces::token(HttpRequest const& request) {
    std::string const code = form_field(request, "code");
    return code.empty() ? refresh(form_field(request, "refresh_token")) : redeem(code);
}

TokenAnswer Workspaces::redeem(std::string const& code) {
    auto const found = codes_.find(code);
    if (found == codes_.end() || found->second.first.empty()) {
        return refused("invalid_grant");
    }
    std::string const id = fmt::format("g{}", grants_.size() + 1);
    Grant grant;
    std::tie(grant.person, grant.host) = std::exchange(found->second, {});
    grants_[id] = std::move(grant);
    return mint(id, true);
}

TokenAnswer Workspaces::refresh(std::string const& presented) {
    std::string const id = grant_of(presented);
    auto const found = grants_.find(id);
    if (found == grants_.end()) {
        return refused("invalid_grant");
    }
    Grant& grant = found->second;
    if (grant.end == Grant::End::none && !good(presented)) {
        if (nature_.rotation == Rotation::revoke) {
            grant.end = Grant::End::reuse;
            if (reused_) {
                reused_(id);
            }
        }
    }
    if (!good(presented)) {
        auto answer = refused("invalid_grant");
        answer.grant = id;
        return answer;
    }
    bool const rotates = nature_.rotation != Rotation::reusable;
    if (rotates && presented == grant.live) {
        grant.previous = grant.live;
        grant.previous_until = clock_.steady() + grace;
    }
    return mint(id, rotates);
}

TokenAnswer Workspaces::mint(std::string const& id, bool rotates) {
    Grant& grant = grants_.at(id);
    grant.minted += 1;
    bool const same = !rotates;
    if (rotates) {
        grant.live = fmt::format("rt-{}-{}", id, grant.minted);
    }
    std::string const access = fmt::format("at-{}-{}", id, grant.minted);
    access_[access] = {id, clock_.steady() + nature_.life};
    bool const sent = !same || !nature_.omits_unchanged;
    std::string body = fmt::format(R"({{"access_token":"{}","token_type":"Bearer","expires_in":{})",
                                   access, nature_.life.count());
    if (sent) {
        body += fmt::format(R"(,"refresh_token":"{}")", grant.live);
    }
    body += "}";
    return {json_response(200, std::move(body)), id, sent ? grant.live : "", rotates};
}

void Workspaces::end(std::string const& id) {
    Grant& grant = grants_.at(id);
    if (grant.end == Grant::End::none) {
        grant.end = Grant::End::admin;
    }
}

Minted const* Workspaces::find(std::string const& access_token) const {
    auto const found = access_.find(access_token);
    return found == access_.end() ? nullptr : &found->second;
}

bool Workspaces::good(std::string const& refresh_token) const {
    auto const found = grants_.find(grant_of(refresh_token));
    if (found == grants_.end() || found->second.end != Grant::End::none) {
        return false;
    }
    Grant const& grant = found->second;
    bool const in_grace = nature_.rotation == Rotation::grace && refresh_token == grant.previous &&
                          clock_.steady() <= grant.previous_until;
    return refresh_token == grant.live || in_grace;
}

}  // namespace brickgate::sim
