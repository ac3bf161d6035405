// SPDX-License-Identifier: Apache-2.0
#include "sandbox/grants.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate::sandbox {

namespace {

constexpr Seconds code_life = std::chrono::seconds(60);
constexpr std::string_view dead = "Refresh token is invalid";

struct TextSetting {
    std::string_view name;
    std::string Settings::* member;
    std::vector<std::string_view> allowed;
};
struct TimeSetting {
    std::string_view name;
    Seconds Settings::* member;
};

std::vector<TextSetting> const& text_settings() {
    static std::vector<TextSetting> const table{
        {"refresh_mode", &Settings::refresh_mode, {"reusable", "grace", "strict", "revoke"}},
        {"iss_in_callback", &Settings::iss_in_callback, {"none", "right", "wrong", "promised"}},
        {"issue",
         &Settings::issue,
         {"all", "no_nonce", "wrong_nonce", "no_id_token", "no_refresh_token"}},
        {"id_token",
         &Settings::id_token,
         {"good", "alg_none", "hs256", "bad_signature", "wrong_aud", "wrong_iss", "expired",
          "future_iat", "no_sub"}},
        {"scope", &Settings::scope, {"asked", "extra", "fewer"}}};
    return table;
}
std::vector<TimeSetting> const& time_settings() {
    static std::vector<TimeSetting> const table{{"access_ttl", &Settings::access_ttl},
                                                {"refresh_ttl", &Settings::refresh_ttl},
                                                {"session_ttl", &Settings::session_ttl},
                                                {"grace", &Settings::grace}};
    return table;
}

std::string granted_scope(Settings const& settings, std::string scope) {
    if (settings.scope == "extra") {
        return scope + " unasked-for";
    }
    if (settings.scope == "fewer") {
        return scope.substr(scope.find(' ') + 1);
    }
    return scope;
}

bool has_word(std::string const& scope, std::string_view word) {
    return (" " + scope + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

OAuthFailure invalid_grant(std::string_view description) {
    return {400, "invalid_grant", std::string(description)};
}

}  // namespace

std::string token_hash(std::string const& token) {
    return hex_encode(sha256(token).substr(0, 8));
}

std::optional<std::string> apply(Settings& settings, json::object const& change) {
    for (auto const& [key, value] : change) {
        std::string_view const name(key.data(), key.size());
        if (name == "legacy_paths" && value.is_bool()) {
            settings.legacy_paths = value.get_bool();
            continue;
        }
        auto const& texts = text_settings();
        auto const text = std::ranges::find(texts, name, &TextSetting::name);
        if (text != texts.end() && value.is_string()) {
            std::string_view const wanted(value.get_string());
            if (std::ranges::find(text->allowed, wanted) == text->allowed.end()) {
                return "no such value for " + std::string(name);
            }
            settings.*(text->member) = wanted;
            continue;
        }
        auto const& times = time_settings();
        auto const time = std::ranges::find(times, name, &TimeSetting::name);
        if (time != times.end() && value.is_int64() && value.get_int64() >= 0) {
            settings.*(time->member) = Seconds(value.get_int64());
            continue;
        }
        return "no such setting, or a value of the wrong kind: " + std::string(name);
    }
    return std::nullopt;
}

json::object to_json(Settings const& settings) {
    json::object out;
    for (auto const& text : text_settings()) {
        out[text.name] = settings.*(text.member);
    }
    for (auto const& time : time_settings()) {
        out[time.name] = (settings.*(time.member)).count();
    }
    out["legacy_paths"] = settings.legacy_paths;
    return out;
}

App const* Grants::app(std::string const& client_id) const {
    auto const found = std::ranges::find(apps, client_id, &App::client_id);
    return found == apps.end() ? nullptr : &*found;
}

std::string Grants::make_code(AuthorizeRequest const& request, Person const& person, Time now) {
    std::string code = "dcode" + random_.hex(20);
    codes_[code] = {request, person, now + code_life, false};
    return code;
}

Issued Grants::issue(Family& family, bool with_refresh, Time now) {
    Issued out;
    out.family = family.id;
    out.scope = family.scope;
    out.client_id = family.client_id;
    out.person = family.person;
    out.expires_in = settings.access_ttl;
    if (with_refresh) {
        bool const rotates = settings.refresh_mode != "reusable" || family.current.empty();
        if (rotates) {
            family.previous = family.current;
            family.previous_used_at = now;
            family.current = "doau" + random_.hex(24);
            family.current_expires_at = now + settings.refresh_ttl;
            family_of_[family.current] = family.id;
        }
        out.refresh_token = family.current;
    }
    return out;
}

std::expected<Issued, OAuthFailure> Grants::redeem(std::string const& code,
                                                   std::string const& client_id,
                                                   std::string const& redirect_uri,
                                                   std::string const& verifier, Time now) {
    auto const found = codes_.find(code);
    if (found == codes_.end()) {
        return std::unexpected(invalid_grant("The authorization code is unknown"));
    }
    auto& known = found->second;
    if (known.used) {
        return std::unexpected(invalid_grant("The authorization code was used already"));
    }
    known.used = true;
    if (known.expires_at <= now) {
        return std::unexpected(invalid_grant("The authorization code has expired"));
    }
    if (known.request.client_id != client_id) {
        return std::unexpected(invalid_grant("The authorization code belongs to another client"));
    }
    if (known.request.redirect_uri != redirect_uri) {
        return std::unexpected(
            invalid_grant("redirect_uri is not the one of the authorize request"));
    }
    if (verifier.empty()) {
        return std::unexpected(OAuthFailure{400, "invalid_request",
                                            "code_verifier is missing: keep the PKCE verifier "
                                            "until the callback and send it here"});
    }
    if (base64url_encode(sha256(verifier)) != known.request.code_challenge) {
        return std::unexpected(invalid_grant("code_verifier does not fit the code_challenge"));
    }
    Family family;
    family.id = "family_" + random_.hex(8);
    family.client_id = client_id;
    family.scope = granted_scope(settings, known.request.scope);
    family.person = known.person;
    family.session_ends_at =
        settings.session_ttl.count() > 0 ? now + settings.session_ttl : Time::max();
    auto& kept = families_[family.id] = std::move(family);
    bool const offline =
        has_word(known.request.scope, "offline_access") && settings.issue != "no_refresh_token";
    auto issued = issue(kept, offline, now);
    issued.nonce = known.request.nonce;
    return issued;
}

std::expected<Issued, OAuthFailure> Grants::refresh(std::string const& token,
                                                    std::string const& client_id, Time now) {
    auto const known = family_of_.find(token);
    if (known == family_of_.end()) {
        return std::unexpected(invalid_grant(dead));
    }
    auto& family = families_.at(known->second);
    family.presented[token_hash(token)] += 1;
    if (family.client_id != client_id) {
        return std::unexpected(invalid_grant(dead));
    }
    if (family.dead || family.session_ends_at <= now) {
        return std::unexpected(invalid_grant(dead));
    }
    if (token != family.current) {
        bool const in_grace = settings.refresh_mode == "grace" && token == family.previous &&
                              now - family.previous_used_at <= settings.grace;
        if (in_grace) {
            auto again = issue(family, false, now);
            again.refresh_token = family.current;
            return again;
        }
        family.reuses += 1;
        if (settings.refresh_mode == "revoke") {
            revoke(family.id);
        }
        return std::unexpected(invalid_grant(dead));
    }
    if (family.current_expires_at <= now) {
        return std::unexpected(invalid_grant(dead));
    }
    family.generation += 1;
    return issue(family, true, now);
}

std::expected<Issued, OAuthFailure> Grants::client_credentials(std::string const& client_id,
                                                               std::string const& scope, Time now) {
    Family family;
    family.id = "family_" + random_.hex(8);
    family.client_id = client_id;
    family.scope = scope;
    family.person = {client_id, client_id};
    family.session_ends_at = Time::max();
    auto& kept = families_[family.id] = std::move(family);
    return issue(kept, false, now);
}

void Grants::register_access(Issued const& issued, std::string const& token, Time now) {
    access_[token_hash(token)] = {issued.family, issued.person, now + issued.expires_in};
}

std::optional<Person> Grants::who(std::string const& access_token, Time now) const {
    auto const found = access_.find(token_hash(access_token));
    if (found == access_.end() || found->second.expires_at <= now) {
        return std::nullopt;
    }
    auto const family = families_.find(found->second.family);
    if (family == families_.end() || family->second.dead) {
        return std::nullopt;
    }
    return found->second.person;
}

std::string Grants::why_not(std::string const& access_token, Time now) const {
    auto const found = access_.find(token_hash(access_token));
    if (found == access_.end()) {
        return "unknown";
    }
    return found->second.expires_at <= now ? "expired" : "revoked";
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

json::array Grants::families() const {
    json::array out;
    for (auto const& [id, family] : families_) {
        json::object presented;
        for (auto const& [hash, times] : family.presented) {
            presented[hash] = times;
        }
        out.push_back(
            {{"id", id},
             {"client_id", family.client_id},
             {"user", family.person.email},
             {"alive", !family.dead},
             {"living_refresh_token", family.current.empty() ? "" : token_hash(family.current)},
             {"generation", family.generation},
             {"reuses", family.reuses},
             {"presented", std::move(presented)}});
    }
    return out;
}

json::object Grants::snapshot() const {
    json::array families;
    for (auto const& [id, f] : families_) {
        families.push_back({{"id", id},
                            {"client_id", f.client_id},
                            {"scope", f.scope},
                            {"email", f.person.email},
                            {"name", f.person.name},
                            {"current", f.current},
                            {"current_expires_at", to_ms(f.current_expires_at)},
                            {"session_ends_at", to_ms(f.session_ends_at)},
                            {"dead", f.dead},
                            {"generation", f.generation}});
    }
    json::array access;
    for (auto const& [hash, a] : access_) {
        access.push_back({{"hash", hash},
                          {"family", a.family},
                          {"email", a.person.email},
                          {"name", a.person.name},
                          {"expires_at", to_ms(a.expires_at)}});
    }
    return {{"families", std::move(families)}, {"access", std::move(access)}};
}

void Grants::restore(json::object const& snapshot) {
    auto const text = [](json::object const& object, std::string_view key) {
        return std::string(string_at(object, key).value_or(""));
    };
    if (auto const* const families = array_at(snapshot, "families")) {
        for (auto const& entry : *families) {
            auto const& object = entry.as_object();
            Family family;
            family.id = text(object, "id");
            family.client_id = text(object, "client_id");
            family.scope = text(object, "scope");
            family.person = {text(object, "email"), text(object, "name")};
            family.current = text(object, "current");
            family.current_expires_at =
                time_from_ms(integer_at(object, "current_expires_at").value_or(0));
            family.session_ends_at =
                time_from_ms(integer_at(object, "session_ends_at").value_or(0));
            family.dead = bool_at(object, "dead").value_or(false);
            family.generation =
                static_cast<std::uint64_t>(integer_at(object, "generation").value_or(1));
            if (!family.current.empty()) {
                family_of_[family.current] = family.id;
            }
            families_[family.id] = std::move(family);
        }
    }
    if (auto const* const access = array_at(snapshot, "access")) {
        for (auto const& entry : *access) {
            auto const& object = entry.as_object();
            access_[text(object, "hash")] = {
                text(object, "family"),
                {text(object, "email"), text(object, "name")},
                time_from_ms(integer_at(object, "expires_at").value_or(0))};
        }
    }
}

}  // namespace brickgate::sandbox
