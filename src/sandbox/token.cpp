// SPDX-License-Identifier: Apache-2.0
// The token endpoint. Its refusals are worded as the real one's where those are known
// (databricks-facts 3.2), and teach where a beginner's mistake is behind them.
#include <functional>

#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

using namespace std::chrono_literals;

ServerResponse oauth_error(OAuthFailure const& failure) {
    return json_answer(failure.status,
                       {{"error", failure.error}, {"error_description", failure.description}});
}

struct ClientProof {
    std::string id, secret;
    bool basic = false, body = false;
};

// RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined.
ClientProof proof_of(Asked const& asked) {
    ClientProof proof;
    if (asked.authorization.starts_with("Basic ")) {
        auto const pair = base64_decode(asked.authorization.substr(6)).value_or("");
        auto const colon = std::min(pair.find(':'), pair.size());
        auto const decode = [](std::string_view text) {
            auto const fields = form_decode("x=" + std::string(text));
            return fields && fields->size() == 1 ? fields->front().second : std::string();
        };
        proof.id = decode(pair.substr(0, colon));
        proof.secret = colon < pair.size() ? decode(pair.substr(colon + 1)) : "";
        proof.basic = true;
    }
    if (!asked.field("client_secret").empty()) {
        proof.body = true;
        proof.secret = asked.field("client_secret");
    }
    if (proof.id.empty()) {
        proof.id = asked.field("client_id");
    }
    return proof;
}

// What is wrong with the request whoever sent it.
std::optional<OAuthFailure> malformed(Asked const& asked) {
    auto const bad = [](std::string description, std::string verdict) {
        return OAuthFailure{400, "invalid_request", std::move(description), std::move(verdict)};
    };
    if (asked.method != "POST") {
        return OAuthFailure{405, "invalid_request", "The token endpoint takes POST", "not POST"};
    }
    auto const type = media_type(asked.content_type);
    if (type == "application/json") {
        return bad(
            "The body is JSON; a token endpoint takes application/x-www-form-urlencoded (RFC 6749 "
            "section 4.1.3). With axios or fetch: new URLSearchParams({...})",
            "json body");
    }
    if (type != "application/x-www-form-urlencoded") {
        return bad("Content-Type must be application/x-www-form-urlencoded", "no form");
    }
    if (asked.query.find("client_secret=") != std::string::npos) {
        return bad(
            "client_secret is in the URL, where logs keep it: send it in the body or by "
            "Basic authentication (RFC 6749 section 2.3.1)",
            "secret in the URL");
    }
    if (!asked.fields_readable) {
        return bad("The body has a broken percent escape", "unreadable form");
    }
    auto const repeated = asked.repeated_field();
    if (!repeated.empty()) {
        return bad(
            "The parameter " + clean_text(repeated) + " is there twice (RFC 6749 section 3.2)",
            "repeated parameter");
    }
    return std::nullopt;
}

constexpr std::string_view about_offline_access =
    "A sign-in gives a refresh token only if its scope holds offline_access: ask for all-apis "
    "offline_access, and sign in again";

std::int64_t seconds_of(Time time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

// The claims that a good id_token has, and what each way of spoiling does to them.
void spoil_claims(json::object& claims, std::string const& how, Time now) {
    static std::map<std::string, std::function<void(json::object&, Time)>> const ways{
        {"wrong_iss", [](auto& c, Time) { c["iss"] = "https://other.cloud.databricks.com/oidc"; }},
        {"no_iss", [](auto& c, Time) { c.erase("iss"); }},
        {"wrong_aud", [](auto& c, Time) { c["aud"] = "somebody-else"; }},
        {"no_aud", [](auto& c, Time) { c.erase("aud"); }},
        {"aud_list", [](auto& c, Time) { c["aud"] = json::array{c["aud"]}; }},
        {"second_aud",
         [](auto& c, Time) { c["aud"] = json::array{c["aud"], json::value("another")}; }},
        {"wrong_azp", [](auto& c, Time) { c["azp"] = "somebody-else"; }},
        {"no_sub", [](auto& c, Time) { c.erase("sub"); }},
        {"other_sub", [](auto& c, Time) { c["sub"] = "mallory@example.com"; }},
        {"no_iat", [](auto& c, Time) { c.erase("iat"); }},
        {"old_iat", [](auto& c, Time t) { c["iat"] = seconds_of(t - 3600s); }},
        {"future_iat", [](auto& c, Time t) { c["iat"] = seconds_of(t + 300s); }},
        {"no_exp", [](auto& c, Time) { c.erase("exp"); }},
        {"expired", [](auto& c, Time t) { c["exp"] = seconds_of(t - 10s); }},
        {"bad_at_hash", [](auto& c, Time) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA"; }},
        {"too_large", [](auto& c, Time) { c["padding"] = std::string(20'000, 'x'); }}};
    auto const way = ways.find(how);
    if (way != ways.end()) {
        way->second(claims, now);
    }
}

}  // namespace

ServerResponse Sandbox::State::token(Asked const& asked, LogLine& line,
                                     std::optional<Fault> const& fault) {
    auto const proof = proof_of(asked);
    auto refusal = malformed(asked);
    if (!refusal && proof.basic && proof.body) {
        refusal = OAuthFailure{400, "invalid_request",
                               "The client authenticates twice, in header and body; use one",
                               "two authentications"};
    }
    if (refusal) {
        line.decision = "refused: " + refusal->verdict;
        return oauth_error(*refusal);
    }
    auto const* const app = grants.app(proof.id);
    if (!app || app->client_secret != proof.secret) {
        line.decision = "refused: invalid_client";
        auto response = json_answer(401, {{"error", "invalid_client"},
                                          {"error_id", uuid()},
                                          {"error_description", "Client authentication failed"}});
        if (proof.basic) {
            response.headers.add("WWW-Authenticate", "Basic realm=\"DatabricksRealm\"");
        }
        return response;
    }
    Time const now = clock.now();
    std::string const grant = asked.field("grant_type");
    std::expected<Issued, OAuthFailure> issued = std::unexpected(
        OAuthFailure{400, "unsupported_grant_type",
                     "grant_type must be authorization_code, refresh_token or client_credentials",
                     "unsupported_grant_type"});
    if (grant == "authorization_code") {
        issued = grants.redeem(asked.field("code"), proof.id, asked.field("redirect_uri"),
                               asked.field("code_verifier"), now);
    } else if (grant == "refresh_token" && asked.field("refresh_token").empty()) {
        issued = std::unexpected(OAuthFailure{
            400, "invalid_request",
            "refresh_token is missing. " + std::string(about_offline_access), "no refresh_token"});
    } else if (grant == "refresh_token") {
        line.presented = token_hash(asked.field("refresh_token"));
        issued = grants.refresh(asked.field("refresh_token"), proof.id, asked.field("scope"), now);
    } else if (grant == "client_credentials" && app->client_secret.empty()) {
        issued = std::unexpected(OAuthFailure{400, "unauthorized_client",
                                              "A public client has no credentials of its own",
                                              "public client"});
    } else if (grant == "client_credentials") {
        auto const scope = asked.field("scope").empty() ? "all-apis" : asked.field("scope");
        auto const missing = grants.not_assigned(*app, scope);
        if (missing.empty()) {
            issued = grants.client_credentials(proof.id, scope);
        } else {
            issued = std::unexpected(OAuthFailure{
                400, "access_denied", "Scopes '" + clean_text(missing) + "' are not assigned",
                "scope not assigned"});
        }
    }
    if (!issued) {
        line.family = issued.error().family;
        line.decision = grant + ": " + issued.error().verdict;
        return oauth_error(issued.error());
    }
    line.family = issued->family;
    line.generation = issued->generation;
    line.decision = grant + ": " + issued->verdict;
    if (issued->refresh_token.empty()) {
        line.decision += ", no refresh token given";
    }
    // A member that no real server sends, for the program whose author waits for a refresh token.
    bool const teach = grant == "authorization_code" && !has_word(issued->scope, "offline_access");
    return token_answer(*issued, teach ? about_offline_access : "", fault);
}

std::string Sandbox::State::access_token(Issued const& issued, Time now) const {
    return signer.sign({{"client_id", issued.client_id},
                        {"scope", issued.scope},
                        {"iss", options.origin + "/oidc"},
                        {"aud", workspace_id},
                        {"sub", issued.person.email},
                        {"iat", seconds_of(now)},
                        {"exp", seconds_of(now + issued.expires_in)},
                        {"jti", uuid()},
                        {"note", std::string(500, 'x')}},  // real ones are longer than 1 KiB
                       "at+jwt");
}

std::string Sandbox::State::id_token(Issued const& issued, std::string const& access,
                                     Time now) const {
    auto const& how = grants.settings.id_token;
    auto const space = std::min(issued.person.name.find(' '), issued.person.name.size());
    json::object claims{{"iss", options.origin + "/oidc"},
                        {"sub", issued.person.email},
                        {"aud", issued.client_id},
                        {"iat", seconds_of(now)},
                        {"exp", seconds_of(now + 3600s)},
                        {"jti", uuid()},
                        {"name", issued.person.name},
                        {"given_name", issued.person.name.substr(0, space)},
                        {"preferred_username", issued.person.email}};
    if (space < issued.person.name.size()) {
        claims["family_name"] = issued.person.name.substr(space + 1);
    }
    if (!issued.nonce.empty() && grants.settings.issue != "no_nonce") {
        claims["nonce"] = grants.settings.issue == "wrong_nonce" ? "another" : issued.nonce;
    }
    if (how == "at_hash") {
        claims["at_hash"] = base64url_encode(sha256(access).substr(0, 16));
    }
    spoil_claims(claims, how, now);
    return signer.forge(claims, how);
}

ServerResponse Sandbox::State::token_answer(Issued const& issued, std::string_view hint,
                                            std::optional<Fault> const& fault) {
    auto const has = [&](std::string_view kind) { return fault && fault->is(kind); };
    if (has("rotate_key")) {
        signer.rotate();
    }
    Time const now = clock.now();
    std::string const access = access_token(issued, now);
    grants.register_access(issued, access, now);
    json::object document;
    if (!has("no_access_token")) {
        document["access_token"] = access;
    }
    document["token_type"] = has("wrong_token_type") ? "mac" : "Bearer";
    if (has("expires_in_string")) {
        document["expires_in"] = std::to_string(issued.expires_in.count());
    } else if (!has("no_expires_in")) {
        document["expires_in"] = issued.expires_in.count();
    }
    document["scope"] = issued.scope;
    if (!issued.refresh_token.empty()) {
        document["refresh_token"] = issued.refresh_token;
    }
    if (has_word(issued.scope, "openid") && grants.settings.issue != "no_id_token") {
        document["id_token"] = id_token(issued, access, now);
    }
    if (!hint.empty()) {
        document["sandbox_hint"] = hint;
    }
    return json_answer(200, document);
}

}  // namespace brickgate::sandbox
