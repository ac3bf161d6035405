// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/encoding.h"
#include "cli/command.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

json::array texts(std::vector<std::string> const& list) {
    json::array out;
    for (auto const& text : list) {
        out.push_back(json::value(text));
    }
    return out;
}

json::object body_of(CapabilitiesOptions const& options) {
    json::object body{{"connection", options.connection}, {"name", options.name}};
    body["methods"] = texts(options.methods);
    body["paths"] = texts(options.paths);
    if (options.expires_in > 0) {
        body["expires_in"] = options.expires_in;
    }
    return body;
}

Result<json::object> perform(Admin& admin, CapabilitiesOptions const& options) {
    std::string const all = "/v1/capabilities";
    if (options.action == "create") {
        return ask(admin, "POST", all, body_of(options));
    }
    if (options.action == "revoke") {
        return ask(admin, "DELETE", all + "/" + percent_encode(options.id));
    }
    FormFields filter;
    if (!options.connection.empty()) {
        filter.emplace_back("connection", options.connection);
    }
    auto items = all_items(admin, all, std::move(filter));
    if (!items) {
        return fail(items.error());
    }
    return json::object{{"items", std::move(*items)}, {"next_cursor", nullptr}};
}

std::string limit_of(json::object const& row, std::string_view name) {
    std::string out;
    for (auto const& item : row.at(name).as_array()) {
        out.append(out.empty() ? "" : ",").append(item.as_string());
    }
    return out.empty() ? "any" : out;
}

void print_row(json::object const& row) {
    std::string const until = text_at(row, "not_after");
    bool const leaked = !text_at(row, "leaked_at").empty();
    std::cout << text_at(row, "id") << "  " << text_at(row, "connection") << "  "
              << text_at(row, "name") << "  methods " << limit_of(row, "methods") << "  paths "
              << limit_of(row, "paths") << (until.empty() ? "" : "  until " + until) << "  "
              << (text_at(row, "revoked_at").empty() ? "active" : "revoked")
              << (leaked ? " (leaked)" : "") << '\n';
}

}  // namespace

int run_capabilities(Common const& common, CapabilitiesOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return complain(admin.error());
    }
    auto const answer = perform(**admin, options);
    if (!answer) {
        return complain(answer.error(), options.connection);
    }
    if (common.json) {
        std::cout << json::serialize(*answer) << '\n';
    } else if (options.action == "create") {
        std::cout << text_at(*answer, "capability") << '\n';
        std::cerr << "This capability is shown once. Its id is " << text_at(*answer, "id") << ".\n";
    } else if (options.action == "revoke") {
        std::cout << "Revoked.\n";
    } else {
        for (auto const& item : answer->at("items").as_array()) {
            print_row(item.as_object());
        }
        if (answer->at("items").as_array().empty()) {
            std::cout << as_typed(
                "There are no capabilities yet: brickgate capabilities create makes one.\n");
        }
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
