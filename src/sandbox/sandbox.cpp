// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "net/bridge.h"
#include "sandbox/pages.h"
#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds hold_max = 60s;
constexpr Milliseconds look_again = 20ms;

std::string_view endpoint_of(std::string_view path) {
    if (path == "/oidc/.well-known/oauth-authorization-server" ||
        path == "/oidc/.well-known/openid-configuration") {
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

LogLine line_of(Asked const& asked, Time now) {
    LogLine line;
    line.at = now;
    line.method = asked.method;
    line.target = asked.target;
    line.path = asked.path;
    line.query = asked.query;
    line.body = asked.body;
    line.headers = asked.headers;
    line.authorization = kind_of_authorization(asked.authorization);
    return line;
}

ServerResponse no_such_endpoint(std::string const& hint) {
    return json_answer(404, {{"error_code", "ENDPOINT_NOT_FOUND"}, {"message", hint}});
}

}  // namespace

Asked Asked::from(ServerRequest const& request) {
    Asked asked;
    asked.method = request.method;
    asked.target = request.target;
    asked.path = request.path;
    asked.query = request.query;
    asked.body = request.body;
    for (auto const& [name, value] : request.headers) {
        asked.headers.emplace_back(name, value);
    }
    asked.content_type = asked.header("Content-Type");
    asked.authorization = asked.header("Authorization");
    bool const form = media_type(asked.content_type) == "application/x-www-form-urlencoded";
    auto fields = form_decode(form ? asked.body : asked.query);
    asked.fields_readable = fields.has_value();
    asked.fields = std::move(fields).value_or(FormFields{});
    return asked;
}

std::string Asked::field(std::string_view name) const {
    auto const found = std::ranges::find(fields, name, &FormFields::value_type::first);
    return found == fields.end() ? "" : found->second;
}

std::string Asked::header(std::string_view name) const {
    for (auto const& [known, value] : headers) {
        if (equals_ignoring_case(known, name)) {
            return value;
        }
    }
    return {};
}

std::string Asked::repeated_field() const {
    for (auto const& [name, value] : fields) {
        if (std::ranges::count(fields, name, &FormFields::value_type::first) > 1) {
            return name;
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
    state_->restore();
}

Sandbox::~Sandbox() = default;

void Sandbox::stop() {
    state_->stopping = true;
}

Task<ServerResponse> Sandbox::handle(ServerRequest const& request) {
    auto task = state_->answer(Asked::from(request));
    co_return co_await run_on(state_->executor, std::move(task));
}

Task<ServerResponse> Sandbox::State::answer(Asked asked) {
    bool const page = asked.path == "/_sandbox/sign-in" || asked.path == "/_sandbox/consent";
    if (!page && (asked.path.starts_with("/_sandbox/") || asked.path == "/")) {
        co_return control(asked);
    }
    auto const field = [&asked](std::string const& name) {
        return name == "path" ? asked.path : asked.field(name);
    };
    auto fault = faults.take(endpoint_of(asked.path), field);
    auto line = line_of(asked, clock.now());
    if (fault) {
        line.fault = fault->kind;
        line.seq = judge.note(line);
        co_return co_await answer_with_fault(std::move(asked), std::move(*fault), std::move(line));
    }
    auto response = obey(asked, line, std::nullopt);
    line.status = response.status;
    judge.note(std::move(line));
    co_return response;
}

// The line is in the log from the start: a test that holds a request sees that it came.
Task<ServerResponse> Sandbox::State::answer_with_fault(Asked asked, Fault fault, LogLine line) {
    co_await wait(fault.latency);
    bool dropped = fault.is("drop_before_commit");
    if (fault.is("hold_before_commit")) {
        bool const released = co_await held(false);
        dropped = !released;
    }
    if (dropped) {
        line.decision = "dropped before commit";
        judge.amend(line);
        co_return nothing_at_all();
    }
    auto instead = replacement(fault);
    ServerResponse response;
    if (instead && !fault.after_commit) {
        line.decision = "fault " + fault.kind;
    } else {
        response = obey(asked, line, fault);
        spoil(response, fault);
    }
    if (instead) {
        response = std::move(*instead);
    }
    judge.amend(line);
    dropped = fault.is("drop_after_commit");
    if (fault.is("hold_after_commit")) {
        bool const released = co_await held(true);
        dropped = !released;
    }
    if (dropped) {
        co_return nothing_at_all();
    }
    line.status = response.status;
    judge.amend(line);
    co_return on_the_wire(std::move(response), fault);
}

// Whether the request goes on. `answers` is what a release without further words means.
Task<bool> Sandbox::State::held(bool answers) {
    auto const before = releases;
    for (Milliseconds waited{0}; waited < hold_max && releases == before && !stopping;
         waited += look_again) {
        co_await timers.sleep_for(look_again);
    }
    if (releases == before) {
        co_return false;
    }
    co_return release_then.empty() ? answers : release_then == "answer";
}

Task<void> Sandbox::State::wait(Milliseconds time) {
    while (time > 0ms && !stopping) {
        auto const piece = std::min<Milliseconds>(time, 200ms);
        co_await timers.sleep_for(piece);
        time -= piece;
    }
}

ServerResponse Sandbox::State::obey(Asked const& asked, LogLine& line,
                                    std::optional<Fault> const& fault) {
    auto const usual = grants.settings;
    grants.settings = bent(usual, fault);
    auto response = route(asked, line, fault);
    grants.settings = usual;
    if (line.generation > 0 || !line.family.empty()) {
        keep();
    }
    return response;
}

ServerResponse Sandbox::State::route(Asked const& asked, LogLine& line,
                                     std::optional<Fault> const& fault) {
    bool const get = asked.method == "GET";
    auto const endpoint = endpoint_of(asked.path);
    if (asked.path.starts_with("/oauth2/") && !grants.settings.legacy_paths) {
        return no_such_endpoint("There is no " + asked.path +
                                ": the OAuth endpoints are /oidc/v1/authorize and /oidc/v1/token, "
                                "as /oidc/.well-known/oauth-authorization-server says");
    }
    if (asked.path == "/_sandbox/sign-in") {
        return sign_in(asked, line);
    }
    if (asked.path == "/_sandbox/consent" && asked.method == "POST") {
        return consent(asked, line);
    }
    if (endpoint == "discovery" && get) {
        return discovery(fault);
    }
    if (endpoint == "jwks" && get) {
        return json_answer(200, signer.jwks());
    }
    if (endpoint == "authorize" && get) {
        return authorize(asked, line, fault);
    }
    if (endpoint == "token") {
        return token(asked, line, fault);
    }
    if (asked.path == "/.well-known/databricks-config" && get) {
        return json_answer(200, {{"oidc_endpoint", options.origin + "/oidc"},
                                 {"account_id", account_id},
                                 {"workspace_id", workspace_id},
                                 {"cloud", "AWS"},
                                 {"host_type", "workspace"}});
    }
    if (endpoint == "api") {
        return api(asked, line);
    }
    return no_such_endpoint("No API found for '" + asked.method + " " + clean_text(asked.path) +
                            "'");
}

ServerResponse Sandbox::State::discovery(std::optional<Fault> const& fault) const {
    auto const has = [&](std::string_view kind) { return fault && fault->is(kind); };
    std::string const issuer = options.origin + "/oidc";
    json::object document;
    document["issuer"] = has("wrong_issuer") ? "https://other.cloud.databricks.com/oidc" : issuer;
    document["authorization_endpoint"] = issuer + "/v1/authorize";
    document["token_endpoint"] = issuer + "/v1/token";
    if (has("foreign_token_endpoint")) {
        document["token_endpoint"] = fault->value.empty() ? "http://evil.example/t" : fault->value;
    }
    document["jwks_uri"] = issuer + "/jwks.json";
    document["response_types_supported"] = {"code", "id_token"};
    document["response_modes_supported"] = {"query", "fragment", "form_post"};
    document["grant_types_supported"] = {"client_credentials", "authorization_code",
                                         "refresh_token"};
    if (!has("no_pkce_methods")) {
        document["code_challenge_methods_supported"] =
            json::array{json::value(has("plain_pkce_only") ? "plain" : "S256")};
    }
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

std::string Sandbox::State::uuid() const {
    std::string out = random.hex(16);
    out[12] = '4';
    out[16] = 'a';
    for (std::size_t const at : {8U, 13U, 18U, 23U}) {
        out.insert(at, "-");
    }
    return out;
}

void Sandbox::State::restore() {
    if (options.state_file.empty()) {
        return;
    }
    std::ifstream in(options.state_file, std::ios::binary);
    std::string const text{std::istreambuf_iterator<char>(in), {}};
    auto const parsed = parse_json(text, {.nodes_max = 10'000'000});
    if (parsed && parsed->is_object()) {
        grants.restore(parsed->get_object());
    }
}

// Renamed into place, so that a kill leaves the old file or the new one.
void Sandbox::State::keep() const {
    if (options.state_file.empty()) {
        return;
    }
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
