// SPDX-License-Identifier: Apache-2.0
#include "sandbox/grants.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace brickgate::sandbox {

namespace {

constexpr Seconds code_life = std::chrono::seconds(60);
constexpr Seconds remembered = std::chrono::hours(1);  // so long a dead code still has a verdict
constexpr std::string_view dead_token_words = "Refresh token is invalid";

std::string granted_scope(Settings const& settings, std::string scope) {
    if (settings.scope == "extra") {
        return scope + " unasked-for";
    }
    if (settings.scope == "fewer") {
        return scope.substr(scope.find(' ') + 1);
    }
    return scope;
}

std::vector<std::string> words_of(std::string_view scope) {
    std::vector<std::string> words;
    while (!scope.empty()) {
        auto const end = std::min(scope.find(' '), scope.size());
        if (end > 0) {
            words.emplace_back(scope.substr(0, end));
        }
        scope.remove_prefix(std::min(end + 1, scope.size()));
    }
    return words;
}

OAuthFailure invalid_grant(std::string_view description, std::string verdict) {
    return {400, "invalid_grant", std::string(description), std::move(verdict)};
}

}  // namespace

std::string token_hash(std::string const& token) {
    return hex_encode(sha256(token).substr(0, 8));
}

bool has_word(std::string const& scope, std::string_view word) {
    return (" " + scope + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

bool Grants::Family::is_alive(Time now) const {
    return !dead && now < session_ends_at && (current.empty() || now < current_expires_at);
}

App const* Grants::app(std::string const& client_id) const {
    auto const found = std::ranges::find(apps, client_id, &App::client_id);
    return found == apps.end() ? nullptr : &*found;
}

std::string Grants::not_assigned(App const& app, std::string const& scope) const {
    std::string missing;
    for (auto const& word : words_of(scope)) {
        if (!app.scopes.empty() && std::ranges::find(app.scopes, word) == app.scopes.end()) {
            missing += (missing.empty() ? "" : " ") + word;
        }
    }
    return missing;
}

std::string Grants::make_code(AuthorizeRequest const& request, Person const& person, Time now) {
    forget_old(now);
    std::string code = "dcode" + random_.hex(20);
    codes_[code] = {request, person, now + code_life, false, ""};
    return code;
}

Issued Grants::issue(Family& family, bool with_refresh, Time now) {
    Issued out;
    out.family = family.id;
    out.scope = family.scope;
    out.client_id = family.client_id;
    out.person = family.person;
    out.expires_in = settings.access_ttl;
    out.generation = family.generation;
    if (!with_refresh) {
        return out;
    }
    bool const rotates = settings.refresh_mode != "reusable" || family.current.empty();
    if (rotates) {
        family.previous = family.current;
        family.previous_used_at = now;
        family.current = "doau" + random_.hex(24);
        family.current_expires_at = now + settings.refresh_ttl;
        family_of_[token_hash(family.current)] = family.id;
    }
    out.refresh_token = family.current;
    return out;
}

std::expected<void, OAuthFailure> Grants::check_code(Code const& code, std::string const& client_id,
                                                     std::string const& redirect_uri,
                                                     std::string const& verifier, Time now) const {
    if (code.expires_at <= now) {
        return std::unexpected(invalid_grant("The authorization code has expired", "code expired"));
    }
    if (code.request.client_id != client_id) {
        return std::unexpected(invalid_grant("The authorization code belongs to another client",
                                             "code of another client"));
    }
    if (code.request.redirect_uri != redirect_uri) {
        return std::unexpected(invalid_grant("redirect_uri is not the one of the authorize request",
                                             "another redirect_uri than at authorize"));
    }
    if (verifier.empty()) {
        return std::unexpected(OAuthFailure{400, "invalid_request",
                                            "code_verifier is missing: keep the PKCE verifier "
                                            "until the callback and send it here",
                                            "code_verifier missing"});
    }
    if (base64url_encode(sha256(verifier)) != code.request.code_challenge) {
        return std::unexpected(
            invalid_grant("code_verifier does not fit the code_challenge", "wrong code_verifier"));
    }
    return {};
}

std::expected<Issued, OAuthFailure> Grants::redeem(std::string const& code,
                                                   std::string const& client_id,
                                                   std::string const& redirect_uri,
                                                   std::string const& verifier, Time now) {
    auto const found = codes_.find(code);
    if (found == codes_.end()) {
        return std::unexpected(invalid_grant("The authorization code is unknown", "unknown code"));
    }
    auto& known = found->second;
    if (known.used) {
        auto failure = invalid_grant("The authorization code was used already", "code used again");
        if (!known.family.empty()) {
            revoke(known.family);
            failure.verdict += ": family revoked";
            failure.family = known.family;
        }
        return std::unexpected(std::move(failure));
    }
    known.used = true;
    auto const fits = check_code(known, client_id, redirect_uri, verifier, now);
    if (!fits) {
        return std::unexpected(fits.error());
    }
    Family family;
    family.id = known.family = next_family();
    family.client_id = client_id;
    family.scope = granted_scope(settings, known.request.scope);
    family.person = known.person;
    family.session_ends_at =
        settings.session_ttl.count() > 0 ? now + settings.session_ttl : Time::max();
    auto& kept = families_[family.id] = std::move(family);
    bool const offline =
        has_word(kept.scope, "offline_access") && settings.issue != "no_refresh_token";
    auto issued = issue(kept, offline, now);
    issued.nonce = known.request.nonce;
    issued.verdict = "code redeemed";
    return issued;
}

OAuthFailure Grants::dead_token(std::string verdict, std::string const& family) const {
    return {400, settings.dead_token_error, std::string(dead_token_words), std::move(verdict),
            family};
}

std::expected<Issued, OAuthFailure> Grants::refresh(std::string const& token,
                                                    std::string const& client_id,
                                                    std::string const& scope, Time now) {
    auto const known = family_of_.find(token_hash(token));
    if (known == family_of_.end()) {
        return std::unexpected(dead_token("unknown refresh token", ""));
    }
    auto& family = families_.at(known->second);
    family.presented[token_hash(token)] += 1;
    if (family.client_id != client_id) {
        return std::unexpected(dead_token("refresh token of another client", family.id));
    }
    if (family.dead) {
        return std::unexpected(dead_token("family is revoked", family.id));
    }
    if (family.session_ends_at <= now) {
        return std::unexpected(dead_token("session ended", family.id));
    }
    if (token != family.current) {
        return present_old(family, token, now);
    }
    if (family.current_expires_at <= now) {
        return std::unexpected(dead_token("refresh token expired", family.id));
    }
    for (auto const& word : words_of(scope)) {
        if (!has_word(family.scope, word)) {
            return std::unexpected(
                OAuthFailure{400, "invalid_scope",
                             "A refresh cannot ask for more than was granted: " + clean_text(word),
                             "wider scope asked", family.id});
        }
    }
    family.generation += 1;
    auto issued = issue(family, settings.issue != "no_refresh_token", now);
    issued.scope = scope.empty() ? family.scope : scope;
    issued.verdict = "refreshed";
    return issued;
}

std::expected<Issued, OAuthFailure> Grants::present_old(Family& family, std::string const& token,
                                                        Time now) {
    bool const in_grace = settings.refresh_mode == "grace" && token == family.previous &&
                          now - family.previous_used_at <= settings.grace;
    if (in_grace) {
        auto again = issue(family, false, now);
        again.refresh_token = family.current;
        again.verdict = "repeated within the grace period";
        return again;
    }
    family.reuses += 1;
    if (settings.refresh_mode != "revoke") {
        return std::unexpected(dead_token("reuse refused", family.id));
    }
    revoke(family.id);
    return std::unexpected(dead_token("reuse: family revoked", family.id));
}

// Numbered, so that the list of families is in the order of their beginnings.
std::string Grants::next_family() {
    return fmt::format("family_{:06}_{}", families_.size() + 1, random_.hex(4));
}

Issued Grants::client_credentials(std::string const& client_id, std::string const& scope) {
    Family family;
    family.id = next_family();
    family.client_id = client_id;
    family.scope = scope;
    family.person = {client_id, client_id};
    family.session_ends_at = Time::max();
    auto& kept = families_[family.id] = std::move(family);
    auto issued = issue(kept, false, Time{});
    issued.verdict = "client credentials";
    return issued;
}

void Grants::register_access(Issued const& issued, std::string const& token, Time now) {
    forget_old(now);
    access_[token_hash(token)] = {issued.family, issued.scope, issued.person,
                                  now + issued.expires_in};
}

std::optional<Access> Grants::access(std::string const& token, Time now) const {
    auto const found = access_.find(token_hash(token));
    if (found == access_.end() || found->second.expires_at <= now) {
        return std::nullopt;
    }
    auto const family = families_.find(found->second.family);
    if (family == families_.end() || family->second.dead) {
        return std::nullopt;
    }
    return found->second;
}

void Grants::forget_old(Time now) {
    if (access_.size() + codes_.size() < forget_at_) {
        return;
    }
    std::erase_if(access_, [&](auto const& entry) { return entry.second.expires_at <= now; });
    std::erase_if(codes_,
                  [&](auto const& entry) { return entry.second.expires_at + remembered <= now; });
    forget_at_ = std::max<std::size_t>(1024, 2 * (access_.size() + codes_.size()));
}

void Grants::expire_access_tokens() {
    for (auto& [hash, access] : access_) {
        access.expires_at = Time{};
    }
}

void Grants::revoke(std::string const& family) {
    for (auto& [id, known] : families_) {
        if (family.empty() || id == family) {
            known.dead = true;
        }
    }
}

boost::json::array Grants::families(Time now) const {
    boost::json::array out;
    for (auto const& [id, family] : families_) {
        boost::json::object presented;
        for (auto const& [hash, times] : family.presented) {
            presented[hash] = times;
        }
        out.push_back(
            {{"id", id},
             {"client_id", family.client_id},
             {"user", family.person.email},
             {"scope", family.scope},
             {"alive", family.is_alive(now)},
             {"living_refresh_token", family.current.empty() ? "" : token_hash(family.current)},
             {"generation", family.generation},
             {"reuses", family.reuses},
             {"presented", std::move(presented)}});
    }
    return out;
}

}  // namespace brickgate::sandbox
