// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/encoding.h"
#include "cli/command.h"

namespace brickgate::cli {

namespace {

std::string text_at(json::object const& object, std::string_view key) {
    return std::string(string_at(object, key).value_or(""));
}

// The one connection that is meant, or a sentence with the ids to choose from.
Result<json::object> choose(Admin& admin, TokenOptions const& options) {
    if (!options.connection.empty()) {
        return ask(admin, "GET", "/v1/connections/" + percent_encode(options.connection));
    }
    auto const listed = ask(admin, "GET", "/v1/connections?limit=1000");
    if (!listed) {
        return fail(listed.error());
    }
    std::vector<json::object> usable;
    for (auto const& item : listed->at("items").as_array()) {
        auto const& row = item.as_object();
        bool const of_host = options.host.empty() ||
                             text_at(row, "workspace").find(options.host) != std::string::npos;
        if (text_at(row, "status") != "disconnected" && of_host) {
            usable.push_back(row);
        }
    }
    if (usable.empty()) {
        return fail(
            Error(ErrorCode::connection_unknown, "Nobody has signed in yet.")
                .with_hint("Sign in first: brickgate login HOST, or open /auth in a browser."));
    }
    if (usable.size() == 1) {
        return usable.front();
    }
    std::string ids;
    for (auto const& row : usable) {
        ids += "\n    " + text_at(row, "id") + "  " + text_at(row, "workspace") + "  " +
               text_at(row.at("principal").as_object(), "user_name");
    }
    return fail(
        Error(ErrorCode::invalid_request, "There are several connections; name one of them:" + ids)
            .with_hint("brickgate token <id>"));
}

}  // namespace

int run_token(Common const& common, TokenOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return complain(admin.error());
    }
    auto const row = choose(**admin, options);
    if (!row) {
        return complain(row.error());
    }
    std::string const path = "/v1/connections/" + text_at(*row, "id");
    if (options.force_refresh) {
        if (auto const refreshed = ask(**admin, "POST", path + "/refresh"); !refreshed) {
            return complain(refreshed.error());
        }
    }
    auto const token =
        ask(**admin, "GET", path + "/token?min_valid=" + std::to_string(options.min_valid));
    if (!token) {
        return complain(token.error());
    }
    if (options.output == "json" || common.json) {
        std::cout << "{\n  \"access_token\": " << json::serialize(token->at("access_token"))
                  << ",\n  \"token_type\": " << json::serialize(token->at("token_type"))
                  << ",\n  \"expiry\": " << json::serialize(token->at("expires_at")) << "\n}\n";
    } else {
        std::cout << text_at(*token, "access_token") << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
