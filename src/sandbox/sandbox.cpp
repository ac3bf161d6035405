// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.h"

#include "net/bridge.h"
#include "sandbox/pages.h"
#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

using namespace std::chrono_literals;
constexpr std::size_t log_max = 20'000;
constexpr Milliseconds hold_max = 60s;

std::string_view endpoint_of(std::string_view path) {
    if (path.ends_with("/oauth-authorization-server") || path.ends_with("/openid-configuration")) {
        return "discovery";
    }
    if (path == "/oidc/jwks.json") {
        return "jwks";
    }
    if (path == "/oidc/v1/authorize" || path == "/oauth2/authorize") {
        return "authorize";
    }
    if (path == "/oidc/v1/token" || path == "/oauth2/token") {
        return "token";
    }
    return path.starts_with("/api/") ? "api" : "";
}

std::string kind_of_authorization(std::string const& value) {
    if (!value.starts_with("Basic ")) {
        return value.substr(0, value.find(' '));
    }
    return "Basic " + base64_decode(value.substr(6)).value_or("(not base64)");
}

ServerResponse whole_fault(Fault const& fault) {
    ServerResponse response =
        json_answer(fault.status, {{"error_code", fault.status}, {"message", "scripted fault"}});
    if (fault.kind == "status" && !fault.value.empty()) {
        response.headers.add("Retry-After", fault.value);
    }
    if (fault.kind == "redirect") {
        response.status = 307;
        response.headers.add("Location", fault.value);
    }
    if (fault.kind == "not_found") {
        response.status = 404;
    }
    if (fault.kind == "html_200") {
        response.status = 200;
        response.headers = {};
        response.headers.add("Content-Type", "text/html");
        response.body =
            "<!doctype html><title>Sign in</title><p>A login page instead of an answer.</p>";
    }
    if (fault.kind == "ip_acl") {
        response = json_answer(403, {{"error_code", 403},
                                     {"message",
                                      "Source IP address: 203.0.113.7 is blocked by Databricks IP "
                                      "ACL for workspace: 1234567890"}});
    }
    if (fault.kind == "invalid_client") {
        response = json_answer(401, {{"error", "invalid_client"},
                                     {"error_description", "Client authentication failed"}});
    }
    if (fault.kind == "old_invalid_request") {
        response = json_answer(
            400, {{"error", "invalid_request"}, {"error_description", "Refresh token is invalid"}});
    }
    return response;
}

bool replaces_answer(Fault const& fault) {
    for (auto const* kind : {"status", "redirect", "not_found", "html_200", "ip_acl",
                             "invalid_client", "old_invalid_request"}) {
        if (fault.kind == kind) {
            return true;
        }
    }
    return false;
}

}  // namespace

ServerResponse json_answer(int status, json::value const& document) {
    ServerResponse response;
    response.status = status;
    response.headers.add("Content-Type", "application/json; charset=UTF-8");
    response.headers.add("Cache-Control", "no-store");
    response.body = json::serialize(document);
    return response;
}

std::string Asked::field(std::string_view name) const {
    for (auto const& [key, value] : fields) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

Sandbox::Sandbox(SandboxOptions options, Executor executor, Clock& clock, Random& random,
                 Timers& timers)
    : state_(std::make_unique<State>(std::move(options), executor, clock, random, timers)) {
    auto& grants = state_->grants;
    grants.apps = state_->options.apps;
    grants.people = {{"ada@example.com", "Ada Lovelace"},
                     {"grace@example.com", "Grace Hopper"},
                     {"alan@example.com", "Alan Turing"}};
    if (state_->options.state_file.empty()) {
        return;
    }
    std::ifstream in(state_->options.state_file, std::ios::binary);
    std::string const text{std::istreambuf_iterator<char>(in), {}};
    auto const parsed = parse_json(text, {.nodes_max = 2'000'000});
    if (parsed && parsed->is_object()) {
        grants.restore(parsed->get_object());
    }
}

Sandbox::~Sandbox() = default;

Task<ServerResponse> Sandbox::handle(ServerRequest const& request) {
    Asked asked;
    asked.method = request.method;
    asked.path = request.path;
    asked.query = request.query;
    asked.body = request.body;
    asked.content_type = request.header("Content-Type").value_or("");
    asked.authorization = request.header("Authorization").value_or("");
    bool const form = media_type(asked.content_type) == "application/x-www-form-urlencoded";
    asked.fields = form_decode(form ? asked.body : asked.query).value_or(FormFields{});
    auto task = state_->answer(std::move(asked));
    co_return co_await run_on(state_->executor, std::move(task));
}

Task<ServerResponse> Sandbox::State::answer(Asked asked) {
    if (asked.path.starts_with("/_sandbox/") || asked.path == "/") {
        co_return control(asked);
    }
    auto const endpoint = endpoint_of(asked.path);
    auto const fault = faults.take(endpoint);
    LogLine line{
        next_seq++,  clock.now(), asked.method, asked.path,
        asked.query, asked.body,  "",           kind_of_authorization(asked.authorization)};
    std::uint64_t const held_at = releases;
    auto const wait_for_release = [&]() -> bool { return releases == held_at; };
    if (fault && fault->latency > 0ms) {
        co_await timers.sleep_for(fault->latency);
    }
    bool const never_commits =
        fault && (fault->kind == "hold_before_commit" || fault->kind == "drop_before_commit");
    ServerResponse response;
    if (never_commits) {
        line.decision = fault->kind;
    } else if (fault && replaces_answer(*fault)) {
        line.decision = "fault " + fault->kind;
        response = whole_fault(*fault);
    } else {
        response = route(asked, line, fault);
    }
    log.push_back(std::move(line));
    if (log.size() > log_max) {
        log.pop_front();
    }
    if (!options.state_file.empty() && endpoint == "token") {
        keep();
    }
    if (fault && fault->kind.starts_with("hold_")) {
        for (Milliseconds held{0}; held < hold_max && wait_for_release(); held += 20ms) {
            co_await timers.sleep_for(20ms);
        }
        response.cut_after = 0;
    }
    if (fault && fault->kind.starts_with("drop_")) {
        response.cut_after = 0;
    }
    if (fault && fault->kind == "half_answer") {
        response.cut_after = 300 + response.body.size() / 2;  // inside the body
    }
    co_return response;
}

ServerResponse Sandbox::State::route(Asked const& asked, LogLine& line,
                                     std::optional<Fault> const& fault) {
    bool const get = asked.method == "GET";
    bool const post = asked.method == "POST";
    auto const endpoint = endpoint_of(asked.path);
    bool const legacy = asked.path.starts_with("/oauth2/");
    if (legacy && !grants.settings.legacy_paths) {
        return json_answer(404,
                           {{"error_code", "ENDPOINT_NOT_FOUND"}, {"message", "No such endpoint"}});
    }
    if (endpoint == "discovery" && get) {
        return discovery(fault);
    }
    if (endpoint == "jwks" && get) {
        return json_answer(200, signer.jwks());
    }
    if (endpoint == "authorize" && get) {
        return authorize(asked, line);
    }
    if (endpoint == "token" && post) {
        return token(asked, line, fault);
    }
    if (endpoint == "token") {
        return json_answer(405, {{"error", "invalid_request"},
                                 {"error_description", "The token endpoint takes POST"}});
    }
    if (asked.path == "/.well-known/databricks-config" && get) {
        return json_answer(200, {{"oidc_endpoint", options.origin + "/oidc"},
                                 {"account_id", "7a1c0de0-0000-4000-8000-000000000001"},
                                 {"workspace_id", "1234567890123456"},
                                 {"cloud", "AWS"},
                                 {"host_type", "workspace"}});
    }
    if (endpoint == "api") {
        return api(asked);
    }
    return json_answer(404,
                       {{"error_code", "ENDPOINT_NOT_FOUND"},
                        {"message", "No API found for '" + asked.method + " " + asked.path + "'"}});
}

ServerResponse Sandbox::State::discovery(std::optional<Fault> const& fault) {
    std::string const kind = fault ? fault->kind : "";
    std::string const issuer = options.origin + "/oidc";
    json::object document;
    document["issuer"] =
        kind == "wrong_issuer" ? "https://other.cloud.databricks.com/oidc" : issuer;
    document["authorization_endpoint"] = issuer + "/v1/authorize";
    document["token_endpoint"] =
        kind == "foreign_token_endpoint" ? "http://evil.example/t" : issuer + "/v1/token";
    document["jwks_uri"] = issuer + "/jwks.json";
    document["response_types_supported"] = {"code", "id_token"};
    document["response_modes_supported"] = {"query", "fragment", "form_post"};
    document["grant_types_supported"] = {"client_credentials", "authorization_code",
                                         "refresh_token"};
    document["code_challenge_methods_supported"] =
        json::array{json::value(kind == "plain_pkce_only" ? "plain" : "S256")};
    document["token_endpoint_auth_methods_supported"] = {"client_secret_basic",
                                                         "client_secret_post", "none"};
    document["scopes_supported"] = {"all-apis", "email",   "offline_access",
                                    "openid",   "profile", "sql"};
    document["subject_types_supported"] = json::array{json::value("public")};
    document["id_token_signing_alg_values_supported"] = json::array{json::value("RS256")};
    document["claims_supported"] = {
        "iss", "sub",  "aud",         "iat",        "exp",
        "jti", "name", "family_name", "given_name", "preferred_username"};
    document["request_uri_parameter_supported"] = false;
    if (grants.settings.iss_in_callback == "promised") {
        document["authorization_response_iss_parameter_supported"] = true;
    }
    auto response = json_answer(200, document);
    std::string escaped;  // the real ones arrive with escaped slashes
    for (char const c : response.body) {
        if (c == '/') {
            escaped += '\\';
        }
        escaped += c;
    }
    response.body = std::move(escaped);
    return response;
}

void Sandbox::State::keep() {
    std::string const temporary = options.state_file + ".new";
    {
        std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
        out << json::serialize(grants.snapshot());
    }
    std::rename(temporary.c_str(), options.state_file.c_str());
}

App demo_app(std::string redirect_uri, std::string secret) {
    return {"brickgate-demo", std::move(secret), {std::move(redirect_uri)}, "Brickgate demo"};
}

App databricks_cli_app() {
    App app{"databricks-cli", "", {}, "Databricks CLI"};
    for (int port = 8020; port <= 8040; ++port) {
        app.redirect_uris.push_back("http://localhost:" + std::to_string(port));
    }
    return app;
}

}  // namespace brickgate::sandbox
