// SPDX-License-Identifier: Apache-2.0
#include "cli/tokens.h"

#include <array>
#include <ctime>

#include "base/clock.h"
#include "cli/terminal.h"
#include "databricks/workspace.h"

namespace brickgate::cli {

namespace {

// b64token of RFC 6750, which is what Databricks issues: needs no quotes anywhere.
bool survives_in_a_line(std::string_view token) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=";
    return !token.empty() && token.find_first_not_of(plain) == std::string_view::npos;
}

Result<json::object> named(Admin& admin, ConnectionChoice const& choice,
                           std::string const& origin) {
    auto row = ask(admin, "GET", "/v1/connections/" + percent_encode(choice.id));
    if (row && !origin.empty() && text_at(*row, "workspace") != origin) {
        return fail(
            Error(ErrorCode::invalid_request, "The connection " + choice.id + " is of " +
                                                  text_at(*row, "workspace") + ", not of " +
                                                  origin + ".")
                .with_hint("A token goes to no host but its own. To choose: " + choice.how));
    }
    return row;
}

Error nobody(std::string const& origin, std::string const& folder) {
    std::string const where = folder.empty() ? "" : " The data folder is " + folder + ".";
    return Error(ErrorCode::connection_unknown,
                 (origin.empty() ? "Nobody has signed in yet."
                                 : "Nobody has signed in at " + origin + ".") +
                     where)
        .with_hint("Sign in first: brickgate login " + (origin.empty() ? "HOST" : origin) +
                   ", or open /auth in a browser.");
}

}  // namespace

Result<json::object> choose_connection(Admin& admin, ConnectionChoice const& choice) {
    std::string origin;
    if (!choice.host.empty()) {
        auto const typed = TypedHost::parse(choice.host);
        if (!typed) {
            return fail(typed.error());
        }
        origin = typed->origin();
    }
    if (!choice.id.empty()) {
        return named(admin, choice, origin);
    }
    auto const listed = all_items(admin, "/v1/connections", {});
    if (!listed) {
        return fail(listed.error());
    }
    std::vector<json::object> usable;
    for (auto const& item : *listed) {
        auto const& row = item.as_object();
        bool const meant = origin.empty() || text_at(row, "workspace") == origin;
        if (meant && text_at(row, "status") != "disconnected") {
            usable.push_back(row);
        }
    }
    if (usable.empty()) {
        return fail(nobody(origin, admin.folder()));
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
            .with_hint(choice.how));
}

std::string token_document(json::object const& token) {
    return "{\n  \"access_token\": " + json::serialize(token.at("access_token")) +
           ",\n  \"token_type\": " + json::serialize(token.at("token_type")) +
           ",\n  \"expiry\": \"" + local_expiry(text_at(token, "expires_at")) + "\"\n}\n";
}

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
    bool const utc = out.ends_with("+00:00") || out.ends_with("-00:00");
    return utc ? out.substr(0, out.size() - 6) + "Z" : out;
}

Result<std::string> token_file_text(json::object const& token, std::string_view format) {
    if (format == "json") {
        return token_document(token);
    }
    std::string text = text_at(token, "access_token");
    if (!survives_in_a_line(text)) {
        wipe(text);
        return fail(Error(ErrorCode::internal, "This token has characters that no token has.")
                        .with_hint("Write it as JSON: --format json"));
    }
    std::string out = format == "env" ? "DATABRICKS_HOST=" + text_at(token, "workspace") +
                                            "\nDATABRICKS_TOKEN=" + text + "\n"
                                      : text + "\n";
    wipe(text);
    return out;
}

}  // namespace brickgate::cli
