// SPDX-License-Identifier: Apache-2.0
// What each endpoint of the practice Databricks answers; the errors teach (databricks-facts 3).
#include <algorithm>

#include "sandbox/pages.h"
#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

using namespace std::chrono_literals;
constexpr Seconds ticket_life = 600s;

ServerResponse oauth_error(int status, std::string_view error, std::string const& description) {
    return json_answer(status, {{"error", error}, {"error_description", description}});
}

struct ClientProof {
    std::string id, secret;
    bool basic = false, body = false;
};

ClientProof proof_of(Asked const& asked) {
    ClientProof proof;
    if (asked.authorization.starts_with("Basic ")) {
        auto const pair = base64_decode(asked.authorization.substr(6)).value_or("");
        auto const colon = std::min(pair.find(':'), pair.size());
        auto const decode = [](std::string_view text) {
            auto const fields = form_decode("x=" + std::string(text));
            return fields && !fields->empty() ? fields->front().second : std::string();
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

std::string origin_of_url(std::string const& url) {
    auto const start = url.find("://");
    return start == std::string::npos ? "" : url.substr(0, url.find_first_of("/?#", start + 3));
}

}  // namespace

ServerResponse Sandbox::State::authorize(Asked const& asked, LogLine& line) {
    AuthorizeRequest const request{asked.field("client_id"),
                                   asked.field("redirect_uri"),
                                   asked.field("scope"),
                                   asked.field("state"),
                                   asked.field("nonce"),
                                   asked.field("code_challenge"),
                                   asked.field("code_challenge_method")};
    auto const* const app = grants.app(request.client_id);
    line.decision = "authorize";
    // Facts 3.3: a wrong client or redirect is never redirected; the person sees JSON.
    if (!app) {
        return oauth_error(
            400, "invalid_request",
            "OAuth application with client_id: '" + clean_text(request.client_id) +
                "' not available in Databricks account '7a1c0de0-0000-4000-8000-000000000001'.");
    }
    if (std::ranges::find(app->redirect_uris, request.redirect_uri) == app->redirect_uris.end()) {
        return oauth_error(400, "invalid_request",
                           "redirect_uri '" + clean_text(request.redirect_uri) +
                               "' not registered for OAuth application '" + app->name + "'");
    }
    if (asked.field("response_type") != "code") {
        return back(request, {{"error", "unsupported_response_type"},
                              {"error_description", "response_type must be code"}});
    }
    if (request.code_challenge.empty() || request.code_challenge_method != "S256") {
        return back(request, {{"error", "invalid_request"},
                              {"error_description",
                               "code_challenge with code_challenge_method=S256 is required: make a "
                               "verifier, keep it, send its SHA-256 here"}});
    }
    if (request.scope.empty()) {
        return back(request,
                    {{"error", "invalid_scope"},
                     {"error_description", "scope is missing: ask for all-apis offline_access"}});
    }
    std::string const ticket = random.token(16);
    tickets[ticket] = {request, std::nullopt, clock.now() + ticket_life};
    return sign_in_page(ticket, *app, grants.people, origin_of_url(request.redirect_uri));
}

ServerResponse Sandbox::State::back(AuthorizeRequest const& request, FormFields fields) {
    if (!request.state.empty()) {
        fields.emplace_back("state", request.state);
    }
    auto const& iss = grants.settings.iss_in_callback;
    if (iss == "right") {
        fields.emplace_back("iss", options.origin + "/oidc");
    }
    if (iss == "wrong") {
        fields.emplace_back("iss", "https://other.cloud.databricks.com/oidc");
    }
    bool const has_query = request.redirect_uri.find('?') != std::string::npos;
    ServerResponse response;
    response.status = 303;
    response.headers.add("Location",
                         request.redirect_uri + (has_query ? "&" : "?") + form_encode(fields));
    response.headers.add("Cache-Control", "no-store");
    return response;
}

ServerResponse Sandbox::State::sign_in(Asked const& asked) {
    auto const found = tickets.find(asked.field("ticket"));
    if (found == tickets.end() || found->second.expires_at <= clock.now()) {
        return oauth_error(400, "invalid_request",
                           "This sign-in is over; start again from the app.");
    }
    auto const person = std::ranges::find(grants.people, asked.field("email"), &Person::email);
    if (person == grants.people.end()) {
        return oauth_error(400, "invalid_request",
                           "There is nobody with that e-mail address here.");
    }
    found->second.person = *person;
    auto const& request = found->second.request;
    return consent_page(found->first, *grants.app(request.client_id), *person, request.scope,
                        origin_of_url(request.redirect_uri));
}

ServerResponse Sandbox::State::consent(Asked const& asked, LogLine& line) {
    auto const found = tickets.find(asked.field("ticket"));
    if (found == tickets.end() || !found->second.person) {
        return oauth_error(400, "invalid_request",
                           "This sign-in is over; start again from the app.");
    }
    Ticket const ticket = found->second;
    tickets.erase(found);
    if (asked.field("answer") != "approve") {
        line.decision = "denied";
        return back(ticket.request, {{"error", "access_denied"},
                                     {"error_description", "The user denied the request"}});
    }
    line.decision = "approved";
    return back(ticket.request,
                {{"code", grants.make_code(ticket.request, *ticket.person, clock.now())}});
}

ServerResponse Sandbox::State::token(Asked const& asked, LogLine& line,
                                     std::optional<Fault> const& fault) {
    auto const type = media_type(asked.content_type);
    if (type == "application/json") {
        line.decision = "refused: json body";
        return oauth_error(
            400, "invalid_request",
            "The body is JSON; a token endpoint takes application/x-www-form-urlencoded (RFC 6749 "
            "section 4.1.3). With axios: new URLSearchParams({...})");
    }
    if (type != "application/x-www-form-urlencoded") {
        return oauth_error(400, "invalid_request",
                           "Content-Type must be application/x-www-form-urlencoded");
    }
    auto const proof = proof_of(asked);
    if (proof.basic && proof.body) {
        return oauth_error(400, "invalid_request",
                           "The client authenticates twice, in header and body; use one");
    }
    auto const* const app = grants.app(proof.id);
    if (!app || app->client_secret != proof.secret) {
        line.decision = "refused: invalid_client";
        return json_answer(401, {{"error", "invalid_client"},
                                 {"error_id", random.hex(8)},
                                 {"error_description", "Client authentication failed"}});
    }
    Time const now = clock.now();
    std::string const grant = asked.field("grant_type");
    std::expected<Issued, OAuthFailure> issued = std::unexpected(
        OAuthFailure{400, "unsupported_grant_type",
                     "grant_type must be authorization_code, refresh_token or client_credentials"});
    if (grant == "authorization_code") {
        issued = grants.redeem(asked.field("code"), proof.id, asked.field("redirect_uri"),
                               asked.field("code_verifier"), now);
    } else if (grant == "refresh_token") {
        issued = grants.refresh(asked.field("refresh_token"), proof.id, now);
    } else if (grant == "client_credentials") {
        issued = grants.client_credentials(proof.id, asked.field("scope"), now);
    }
    if (!issued) {
        line.decision = grant + ": " + issued.error().error;
        return oauth_error(issued.error().status, issued.error().error, issued.error().description);
    }
    line.decision = grant + ": committed " + issued->family;
    return token_answer(*issued, fault);
}

std::string Sandbox::State::access_token(Issued const& issued, Time now) {
    auto const seconds = [](Time time) {
        return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
    };
    json::object claims{{"client_id", issued.client_id},
                        {"scope", issued.scope},
                        {"iss", options.origin + "/oidc"},
                        {"aud", "1234567890123456"},
                        {"sub", issued.person.email},
                        {"iat", seconds(now)},
                        {"exp", seconds(now + issued.expires_in)},
                        {"jti", random.hex(16)},
                        {"note", std::string(500, 'x')}};
    return signer.sign(std::move(claims), "at+jwt");
}

std::string Sandbox::State::id_token(Issued const& issued, Time now) {
    auto const& how = grants.settings.id_token;
    auto const seconds = [](Time time) {
        return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
    };
    json::object claims{{"iss", how == "wrong_iss" ? "https://other.cloud.databricks.com/oidc"
                                                   : options.origin + "/oidc"},
                        {"aud", how == "wrong_aud" ? "somebody-else" : issued.client_id},
                        {"iat", seconds(how == "future_iat" ? now + 300s : now)},
                        {"exp", seconds(how == "expired" ? now - 10s : now + 3600s)},
                        {"jti", random.hex(8)},
                        {"name", issued.person.name},
                        {"preferred_username", issued.person.email}};
    if (how != "no_sub") {
        claims["sub"] = issued.person.email;
    }
    if (!issued.nonce.empty() && grants.settings.issue != "no_nonce") {
        claims["nonce"] = grants.settings.issue == "wrong_nonce" ? "another" : issued.nonce;
    }
    bool const forged = how == "alg_none" || how == "hs256" || how == "bad_signature";
    return forged ? signer.forge(std::move(claims), how) : signer.sign(std::move(claims), "JWT");
}

ServerResponse Sandbox::State::token_answer(Issued const& issued,
                                            std::optional<Fault> const& fault) {
    std::string const kind = fault ? fault->kind : "";
    Time const now = clock.now();
    json::object document;
    std::string const access = access_token(issued, now);
    grants.register_access(issued, access, now);
    document["access_token"] = access;
    document["token_type"] = "Bearer";
    if (kind == "expires_in_string") {
        document["expires_in"] = std::to_string(issued.expires_in.count());
    } else if (kind != "no_expires_in") {
        document["expires_in"] = issued.expires_in.count();
    }
    document["scope"] = issued.scope;
    if (!issued.refresh_token.empty()) {
        document["refresh_token"] = issued.refresh_token;
    }
    bool const openid = (" " + issued.scope + " ").find(" openid ") != std::string::npos;
    if (openid && grants.settings.issue != "no_id_token") {
        document["id_token"] = id_token(issued, now);
    }
    auto response = json_answer(200, document);
    if (kind == "duplicate_keys") {
        response.body.insert(1, R"("access_token":"another",)");
    }
    if (kind == "deep_json") {
        response.body.insert(1, R"("deep":)" + std::string(100, '[') + std::string(100, ']') + ",");
    }
    if (kind == "huge_body") {
        response.body.insert(1, R"("padding":")" + std::string(300'000, 'x') + "\",");
    }
    return response;
}

ServerResponse Sandbox::State::api(Asked const& asked) {
    bool const has_token = asked.authorization.starts_with("Bearer ");
    std::string const token = has_token ? asked.authorization.substr(7) : "";
    if (!has_token) {
        auto response = json_answer(
            401,
            {{"error_code", 401},
             {"message", "Credential was not sent or was of an unsupported type for this API."}});
        response.headers.add("WWW-Authenticate", "Bearer realm=\"DatabricksRealm\"");
        return response;
    }
    auto const person = grants.who(token, clock.now());
    if (!person) {
        return json_answer(403,
                           {{"error_code", 403},
                            {"message", "Invalid access token. [ReqId: " + random.hex(8) + "]"}});
    }
    ServerResponse response = json_answer(
        404, {{"error_code", "ENDPOINT_NOT_FOUND"},
              {"message", "No API found for '" + asked.method + " " + asked.path + "'"}});
    if (asked.path == "/api/2.0/preview/scim/v2/Me") {
        auto const space = person->name.find(' ');
        response = json_answer(200, {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                                     {"id", token_hash(person->email)},
                                     {"userName", person->email},
                                     {"displayName", person->name},
                                     {"active", true},
                                     {"name",
                                      {{"givenName", person->name.substr(0, space)},
                                       {"familyName", person->name.substr(space + 1)}}}});
    } else if (asked.path == "/api/2.0/tokens/introspect") {
        response = json_answer(200, {{"principal_context",
                                      {{"authentication_scope",
                                        {{"account_id", "7a1c0de0-0000-4000-8000-000000000001"},
                                         {"workspace_id", 1234567890123456}}}}}});
    } else if (asked.path == "/api/2.0/clusters/list") {
        response = json_answer(
            200, {{"clusters", json::array{json::object{{"cluster_id", "0101-000000-practice"},
                                                        {"cluster_name", "practice"},
                                                        {"state", "TERMINATED"}}}}});
    } else if (asked.path == "/api/2.0/sql/warehouses") {
        response = json_answer(
            200, {{"warehouses",
                   json::array{json::object{
                       {"id", "0123456789abcdef"}, {"name", "practice"}, {"state", "RUNNING"}}}}});
    } else if (asked.path == "/api/2.1/jobs/list") {
        response = json_answer(200, {{"jobs", json::array{}}, {"has_more", false}});
    } else if (asked.path == "/api/2.0/sql/statements" && asked.method == "POST") {
        response = json_answer(200, {{"statement_id", random.hex(16)},
                                     {"status", {{"state", "SUCCEEDED"}}},
                                     {"result", {{"data_array", json::array{json::array{"1"}}}}}});
    }
    response.headers.add("X-Databricks-Org-Id", "1234567890123456");
    return response;
}

ServerResponse Sandbox::State::control(Asked const& asked) {
    auto const body = parse_json(asked.body.empty() ? "{}" : asked.body);
    json::object const object = body && body->is_object() ? body->get_object() : json::object();
    auto const is = [&](std::string_view method, std::string_view path) {
        return asked.method == method && asked.path == path;
    };
    auto const done = [](std::optional<std::string> const& complaint) {
        return complaint ? json_answer(400, {{"error", *complaint}})
                         : json_answer(200, {{"ok", true}});
    };
    if (is("GET", "/")) {
        return front_page(options.origin);
    }
    if (is("GET", "/_sandbox/style.css")) {
        ServerResponse response;
        response.headers.add("Content-Type", "text/css");
        response.body = style_sheet();
        return response;
    }
    LogLine line{next_seq, clock.now(), asked.method, asked.path, "", "", "", ""};
    if (is("POST", "/_sandbox/sign-in")) {
        return sign_in(asked);
    }
    if (is("POST", "/_sandbox/consent")) {
        auto response = consent(asked, line);
        line.seq = next_seq++;
        log.push_back(line);
        return response;
    }
    if (is("GET", "/_sandbox/settings")) {
        return json_answer(200, to_json(grants.settings));
    }
    if (is("PUT", "/_sandbox/settings")) {
        return done(apply(grants.settings, object));
    }
    if (is("POST", "/_sandbox/faults")) {
        return done(faults.add(object));
    }
    if (is("DELETE", "/_sandbox/faults")) {
        faults.clear();
        return done(std::nullopt);
    }
    if (is("POST", "/_sandbox/release")) {
        releases += 1;
        return done(std::nullopt);
    }
    if (is("GET", "/_sandbox/families")) {
        return json_answer(200, {{"families", grants.families()}});
    }
    if (is("POST", "/_sandbox/expire")) {
        grants.expire_access_tokens();
        return done(std::nullopt);
    }
    if (is("POST", "/_sandbox/revoke")) {
        grants.revoke(std::string(string_at(object, "family").value_or("")));
        return done(std::nullopt);
    }
    if (is("POST", "/_sandbox/rotate-key")) {
        signer.rotate(random);
        return done(std::nullopt);
    }
    if (is("POST", "/_sandbox/apps")) {
        App app{std::string(string_at(object, "client_id").value_or("")),
                std::string(string_at(object, "client_secret").value_or("")),
                {},
                std::string(string_at(object, "name").value_or("App"))};
        if (auto const* list = array_at(object, "redirect_uris")) {
            for (auto const& uri : *list) {
                app.redirect_uris.emplace_back(uri.as_string());
            }
        }
        std::erase_if(grants.apps, [&](App const& old) { return old.client_id == app.client_id; });
        grants.apps.push_back(std::move(app));
        return done(std::nullopt);
    }
    if (is("GET", "/_sandbox/log")) {
        std::uint64_t since = 0;
        if (auto const text = asked.field("since"); !text.empty()) {
            since = std::stoull("0" + text);
        }
        json::array lines;
        for (auto const& entry : log) {
            if (entry.seq <= since) {
                continue;
            }
            lines.push_back({{"seq", entry.seq},
                             {"at_ms", to_ms(entry.at)},
                             {"method", entry.method},
                             {"path", entry.path},
                             {"query", entry.query},
                             {"body", entry.body},
                             {"authorization", entry.authorization},
                             {"decision", entry.decision}});
        }
        return json_answer(200, {{"requests", std::move(lines)}});
    }
    if (is("DELETE", "/_sandbox/log")) {
        log.clear();
        return done(std::nullopt);
    }
    return json_answer(404, {{"error", "no such control"}});
}

}  // namespace brickgate::sandbox
