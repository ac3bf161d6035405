// SPDX-License-Identifier: Apache-2.0
// A few workspace APIs, and how a workspace refuses a token (databricks-facts 3.4, 3.5, 3.6).
#include <algorithm>
#include <array>

#include "sandbox/state.h"

namespace brickgate::sandbox {

namespace {

using Answer = json::value (*)(Person const& person, Random& random);

struct Api {
    std::string_view method, path;
    std::string_view scope;  // enough besides all-apis; empty: every token may
    Answer answer;
};

json::value me(Person const& person, Random&) {
    auto const space = std::min(person.name.find(' '), person.name.size());
    json::object name{{"givenName", person.name.substr(0, space)}};
    if (space < person.name.size()) {
        name["familyName"] = person.name.substr(space + 1);
    }
    return {{"schemas", json::array{json::value("urn:ietf:params:scim:schemas:core:2.0:User")}},
            {"id", token_hash(person.email)},
            {"userName", person.email},
            {"displayName", person.name},
            {"active", true},
            {"emails", json::array{json::object{
                           {"value", person.email}, {"type", "work"}, {"primary", true}}}},
            {"name", std::move(name)},
            {"groups", json::array{}}};
}

json::value introspection(Person const&, Random&) {
    return {{"principal_context",
             {{"authentication_scope",
               {{"account_id", account_id},
                {"workspace_id", std::stoll(std::string(workspace_id))}}}}}};
}

json::value clusters(Person const&, Random&) {
    return {{"clusters", json::array{json::object{{"cluster_id", "0101-000000-practice"},
                                                  {"cluster_name", "practice"},
                                                  {"state", "TERMINATED"}}}}};
}

json::value warehouses(Person const&, Random&) {
    return {{"warehouses",
             json::array{json::object{
                 {"id", "0123456789abcdef"}, {"name", "practice"}, {"state", "RUNNING"}}}}};
}

json::value jobs(Person const&, Random&) {
    return {{"jobs", json::array{}}, {"has_more", false}};
}

json::value statement(Person const&, Random& random) {
    return {{"statement_id", random.hex(16)},
            {"status", {{"state", "SUCCEEDED"}}},
            {"result", {{"data_array", json::array{json::array{json::value("1")}}}}}};
}

constexpr std::array<Api, 6> apis{{{"GET", "/api/2.0/preview/scim/v2/Me", "", me},
                                   {"GET", "/api/2.0/tokens/introspect", "", introspection},
                                   {"GET", "/api/2.0/clusters/list", "clusters", clusters},
                                   {"GET", "/api/2.0/sql/warehouses", "sql", warehouses},
                                   {"GET", "/api/2.1/jobs/list", "jobs", jobs},
                                   {"POST", "/api/2.0/sql/statements", "sql", statement}}};

// Front-door refusals carry a number as error_code, and their text again in a header.
ServerResponse front_door(int status, std::string const& message) {
    auto response = json_answer(status, {{"error_code", status}, {"message", message}});
    response.headers.add("x-databricks-reason-phrase", message);
    return response;
}

ServerResponse expired(Settings const& settings, std::string const& request_id) {
    if (settings.expired_answer == "unauthorized") {
        return front_door(401, "Token is expired");
    }
    if (settings.expired_answer == "bad_request") {
        return front_door(400, "io.jsonwebtoken.ExpiredJwtException: JWT expired");
    }
    return front_door(403, "Invalid access token. [ReqId: " + request_id + "]");
}

}  // namespace

ServerResponse Sandbox::State::api(Asked const& asked, LogLine& line) {
    if (!asked.authorization.starts_with("Bearer ")) {
        line.decision = "api: no token";
        auto response =
            front_door(401, "Credential was not sent or was of an unsupported type for this API.");
        response.headers.add("WWW-Authenticate", "Bearer realm=\"DatabricksRealm\"");
        return response;
    }
    auto const found = grants.access(asked.authorization.substr(7), clock.now());
    if (!found) {
        line.decision = "api: token is not good";
        return expired(grants.settings, uuid());
    }
    if (found->expires_at - clock.now() < grants.settings.early_rejection) {
        line.decision = "api: token ends too soon";
        return front_door(403, "Token is expiring within 30 seconds. (token expired)");
    }
    auto const api = std::ranges::find_if(apis, [&](Api const& known) {
        return known.method == asked.method && known.path == asked.path;
    });
    ServerResponse response;
    if (api == apis.end()) {
        line.decision = "api: unknown";
        response = json_answer(404, {{"error_code", "ENDPOINT_NOT_FOUND"},
                                     {"message", "No API found for '" + asked.method + " " +
                                                     clean_text(asked.path) + "'"}});
    } else if (!api->scope.empty() && !has_word(found->scope, "all-apis") &&
               !has_word(found->scope, api->scope)) {
        line.decision = "api: scope missing";
        response = front_door(
            403, "Provided OAuth token does not have required scopes: " + std::string(api->scope));
    } else {
        line.decision = "api: answered " + found->person.email;
        response = json_answer(200, api->answer(found->person, random));
    }
    response.headers.add("X-Databricks-Org-Id", std::string(workspace_id));
    response.headers.add("x-request-id", uuid());
    return response;
}

}  // namespace brickgate::sandbox
