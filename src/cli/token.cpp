// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <ctime>
#include <iostream>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "databricks/workspace.h"

namespace brickgate::cli {

namespace {

bool is_of_host(json::object const& row, std::string const& host) {
    auto const typed = TypedHost::parse(host);
    return typed && text_at(row, "workspace") == typed->origin();
}

// The one connection that is meant, or a sentence with the ids to choose from.
Result<json::object> choose(Admin& admin, TokenOptions const& options) {
    if (!options.connection.empty()) {
        return ask(admin, "GET", "/v1/connections/" + percent_encode(options.connection));
    }
    auto const listed = all_connections(admin, {});
    if (!listed) {
        return fail(listed.error());
    }
    std::vector<json::object> usable;
    for (auto const& item : *listed) {
        auto const& row = item.as_object();
        bool const meant = options.host.empty() || is_of_host(row, options.host);
        if (meant && text_at(row, "status") != "disconnected") {
            usable.push_back(row);
        }
    }
    if (usable.empty()) {
        return fail(
            Error(ErrorCode::connection_unknown, options.host.empty()
                                                     ? "Nobody has signed in yet."
                                                     : "Nobody has signed in at this workspace.")
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

std::string local_expiry(std::string_view rfc3339) {
    auto const time = from_rfc3339(rfc3339);
    if (!time) {
        return std::string(rfc3339);
    }
    std::time_t const seconds = std::chrono::system_clock::to_time_t(*time);
    std::tm local{};
    localtime_r(&seconds, &local);
    std::array<char, 64> text{};
    std::size_t const size =
        strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000000%z", &local);
    std::string out(text.data(), size);
    if (out.size() > 2) {
        out.insert(out.size() - 2, ":");  // +0200 as +02:00
    }
    return out.ends_with("+00:00") ? out.substr(0, out.size() - 6) + "Z" : out;
}

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
    std::string const path = "/v1/connections/" + percent_encode(text_at(*row, "id"));
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
                  << ",\n  \"expiry\": \"" << local_expiry(text_at(*token, "expires_at"))
                  << "\"\n}\n";
    } else {
        std::cout << text_at(*token, "access_token") << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
