// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/encoding.h"
#include "cli/command.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

void print_row(json::object const& row) {
    std::cout << text_at(row, "id") << "  " << text_at(row, "status");
    if (!text_at(row, "reason").empty()) {
        std::cout << " (" << text_at(row, "reason") << ")";
    }
    std::cout << "  " << text_at(row, "workspace") << "  "
              << text_at(row.at("principal").as_object(), "user_name");
    // Of one that is over, the last token's end says nothing.
    bool const over =
        text_at(row, "status") == "disconnected" || text_at(row, "status") == "reauth_required";
    std::cout << (over ? "  since " + text_at(row, "status_since")
                       : "  until " + text_at(row, "expires_at"))
              << '\n';
}

// The API's names for those who can do something.
std::string person_of(std::string const& name) {
    return name == "customer"           ? "the person who connected"
           : name == "customer_admin"   ? "the admin of the workspace"
           : name == "app_operator"     ? "whoever has the app in the account console"
           : name == "gateway_operator" ? "whoever runs this gateway"
                                        : name;
}

void print_explanation(json::object const& answer) {
    std::cout << text_at(answer, "summary") << '\n';
    if (!text_at(answer, "detail").empty()) {
        std::cout << text_at(answer, "detail") << '\n';
    }
    std::cout << "Who must act: " << person_of(text_at(answer, "who_must_act"));
    if (!text_at(answer, "remedy").empty()) {
        std::cout << ". " << text_at(answer, "remedy");
    }
    std::cout << '\n';
    for (auto const& event : answer.at("events").as_array()) {
        std::cout << "  " << text_at(event.as_object(), "at") << "  "
                  << text_at(event.as_object(), "type") << '\n';
    }
}

void print_keys(json::array const& keys) {
    for (auto const& item : keys) {
        auto const& key = item.as_object();
        std::string rights;
        for (auto const& right : key.at("rights").as_array()) {
            rights.append(rights.empty() ? "" : ",").append(right.as_string());
        }
        std::cout << text_at(key, "id") << "  " << text_at(key, "name") << "  " << rights << "  "
                  << (text_at(key, "revoked_at").empty() ? "active" : "revoked") << '\n';
    }
    if (keys.empty()) {
        std::cout << as_typed("There are no keys yet: brickgate api-keys create makes one.\n");
    }
}

int list(Admin& admin, ConnectionsOptions const& options, bool as_json) {
    FormFields filter;
    if (!options.subject.empty()) {
        filter.emplace_back("subject", options.subject);
    }
    if (!options.workspace.empty()) {
        filter.emplace_back("workspace", options.workspace);
    }
    if (!options.status.empty()) {
        filter.emplace_back("status", options.status);
    }
    bool const filtered = !filter.empty();
    auto const items = all_items(admin, "/v1/connections", std::move(filter));
    if (!items) {
        return complain(items.error());
    }
    if (as_json) {
        std::cout << json::serialize(json::object{{"items", *items}, {"next_cursor", nullptr}})
                  << '\n';
        return Exit::ok;
    }
    for (auto const& item : *items) {
        print_row(item.as_object());
    }
    if (items->empty() && filtered) {
        std::cout << "No connection fits that; without it, all are listed. The data folder is "
                  << admin.folder() << ".\n";
    } else if (items->empty()) {
        std::cout << as_typed(
                         "There are no connections yet: open /auth in a browser, or run brickgate "
                         "login HOST. The data folder is ")
                  << admin.folder() << ".\n";
    }
    return Exit::ok;
}

// The one that is named, or all that are held back.
int release(Admin& admin, ConnectionsOptions const& options, bool as_json) {
    std::vector<std::string> ids{options.id};
    if (options.all) {
        auto const held = all_items(admin, "/v1/connections", {{"status", "quarantined"}});
        if (!held) {
            return complain(held.error());
        }
        ids.clear();
        for (auto const& row : *held) {
            ids.push_back(text_at(row.as_object(), "id"));
        }
    } else if (options.id.empty()) {
        return complain(Error(ErrorCode::invalid_request,
                              "Which connection? Its id, or --all for all that are held back."));
    }
    json::array released;
    for (auto const& id : ids) {
        auto answer = ask(admin, "POST", "/v1/connections/" + percent_encode(id) + "/release");
        if (!answer) {
            return complain(answer.error());
        }
        if (!as_json) {
            print_row(*answer);
        }
        released.emplace_back(std::move(*answer));
    }
    if (as_json) {
        std::cout << json::serialize(json::object{{"items", std::move(released)}}) << '\n';
    }
    return Exit::ok;
}

}  // namespace

Result<json::array> all_items(Admin& admin, std::string const& path, FormFields filter) {
    filter.emplace_back("limit", "1000");
    json::array all;
    std::string cursor;
    do {
        auto fields = filter;
        if (!cursor.empty()) {
            fields.emplace_back("cursor", cursor);
        }
        auto const page = ask(admin, "GET", path + "?" + form_encode(fields));
        if (!page) {
            return fail(page.error());
        }
        if (auto const* const items = array_at(*page, "items")) {
            all.insert(all.end(), items->begin(), items->end());
        }
        cursor = text_at(*page, "next_cursor");
    } while (!cursor.empty());
    return all;
}

int run_connections(Common const& common, ConnectionsOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return complain(admin.error());
    }
    if (options.action == "list") {
        return list(**admin, options, common.json);
    }
    if (options.action == "release") {
        return release(**admin, options, common.json);
    }
    std::string const path = "/v1/connections/" + percent_encode(options.id);
    bool const explain = options.action == "explain";
    std::string const method = options.action == "disconnect" ? "DELETE"
                               : options.action == "refresh"  ? "POST"
                                                              : "GET";
    std::string const tail = explain ? "/explain" : options.action == "refresh" ? "/refresh" : "";
    auto const answer = ask(**admin, method, path + tail);
    if (!answer) {
        return complain(answer.error(), options.id);
    }
    if (common.json || options.action == "show") {
        std::cout << json::serialize(*answer) << '\n';
    } else if (explain) {
        print_explanation(*answer);
    } else if (options.action == "disconnect") {
        bool const revoked = text_at(*answer, "upstream") == "revoked";
        bool const failed = text_at(*answer, "upstream") == "failed";
        std::cout << "The tokens are erased here. "
                  << (revoked  ? "The workspace has revoked the grant."
                      : failed ? "The workspace did not confirm that the grant is revoked."
                               : "The workspace offers no way to revoke the grant.")
                  << '\n'
                  << (revoked ? "" : text_at(*answer, "end_the_grant_at") + "\n");
    } else {
        print_row(*answer);
    }
    return Exit::ok;
}

int run_api_keys(Common const& common, ApiKeysOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    bool const creates = options.action == "create";
    auto admin =
        connect_admin(std::move(*loaded), creates ? WhenNew::make_vault : WhenNew::make_nothing);
    if (!admin) {
        return complain(admin.error());
    }
    Result<json::object> answer = json::object();
    if (creates) {
        json::object body{{"name", options.name}};
        json::array rights;
        for (auto const& right : options.rights) {
            rights.push_back(json::value(right));
        }
        body["rights"] = std::move(rights);
        if (options.expires_in > 0) {
            body["expires_in"] = options.expires_in;
        }
        answer = ask(**admin, "POST", "/v1/api-keys", std::move(body));
    } else if (options.action == "revoke") {
        answer = ask(**admin, "DELETE", "/v1/api-keys/" + percent_encode(options.id));
    } else {
        answer = ask(**admin, "GET", "/v1/api-keys");
    }
    if (!answer) {
        return complain(answer.error());
    }
    if (common.json) {
        std::cout << json::serialize(*answer) << '\n';
    } else if (options.action == "create") {
        std::cout << text_at(*answer, "key") << '\n';
        std::cerr << "This key is shown once. Its id is " << text_at(*answer, "id") << ".\n";
    } else if (options.action == "revoke") {
        std::cout << "Revoked.\n";
    } else {
        print_keys(answer->at("items").as_array());
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
