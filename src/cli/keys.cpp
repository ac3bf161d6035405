// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "base/encoding.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

constexpr std::chrono::milliseconds look_every{200};

std::int64_t count_at(json::object const& object, std::string_view name) {
    return integer_at(object, name).value_or(0);
}

void print_key(json::object const& key) {
    std::cout << count_at(key, "id") << "  " << text_at(key, "purpose") << "  "
              << text_at(key, "state") << "  since " << text_at(key, "created_at");
    for (auto const& [name, count] : key.at("records").as_object()) {
        if (count.is_int64() && count.get_int64() > 0) {
            std::cout << "  " << name << " " << count.get_int64();
        }
    }
    std::cout << '\n';
}

void print_keys(json::object const& answer) {
    for (auto const& key : answer.at("items").as_array()) {
        print_key(key.as_object());
    }
    for (auto const& root : answer.at("root_keys").as_array()) {
        std::cout << text_at(root.as_object(), "id") << "  root  "
                  << text_at(root.as_object(), "state") << '\n';
    }
    auto const& rotation = answer.at("rotation").as_object();
    if (rotation.at("running").as_bool()) {
        std::cout << "Being sealed anew: " << count_at(rotation, "left") << " records are left.\n";
    }
    if (count_at(rotation, "unreadable") > 0) {
        std::cout << count_at(rotation, "unreadable")
                  << " rows do not open and stay as they are: their people sign in again, or the "
                     "connections are ended.\n";
    }
}

void print_progress(json::object const& rotation) {
    if (isatty(STDERR_FILENO) != 0) {
        std::cerr << "\r  rows sealed anew: " << count_at(rotation, "resealed")
                  << ", records left: " << count_at(rotation, "left") << "   " << std::flush;
    }
}

// The gateway goes on by itself if this command is ended: in a daemon at once, else at its start.
Result<json::object> until_sealed(Admin& admin, json::object answer) {
    while (answer.at("rotation").as_object().at("running").as_bool() && !interrupted()) {
        print_progress(answer.at("rotation").as_object());
        std::this_thread::sleep_for(look_every);
        auto now = ask(admin, "GET", "/v1/keys");
        if (!now) {
            return now;
        }
        answer = std::move(*now);
    }
    print_progress(answer.at("rotation").as_object());
    std::cerr << (isatty(STDERR_FILENO) != 0 ? "\n" : "");
    return answer;
}

// Data keys are counted, root keys have eight hex digits.
bool is_root_id(std::string const& id) {
    return id.size() == 8 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<json::object> perform(Admin& admin, VaultKeysOptions const& options) {
    if (options.action == "list") {
        return ask(admin, "GET", "/v1/keys");
    }
    if (options.action == "retire") {
        std::string const which = is_root_id(options.id) ? "/v1/root-keys/" : "/v1/keys/";
        return ask(admin, "POST", which + percent_encode(options.id) + "/retire");
    }
    if (options.root) {
        return ask(admin, "POST", "/v1/root-keys/rotate");
    }
    auto begun = ask(admin, "POST", "/v1/keys/rotate");
    return begun ? until_sealed(admin, std::move(*begun)) : std::move(begun);
}

std::string advice(VaultKeysOptions const& options) {
    if (options.action == "rotate" && options.root) {
        return "Keep a copy of the new root key, apart from every other backup, and the old one "
               "for "
               "as long as there are backups made under it. Then: brickgate keys retire and the "
               "old "
               "root's id.\n";
    }
    if (options.action == "rotate") {
        return "When nothing needs a former key any more: brickgate keys retire and its id. The "
               "spool lets go of its own within the hour.\n";
    }
    return "";
}

}  // namespace

int run_keys(Common const& common, VaultKeysOptions const& options) {
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
        return complain(answer.error());
    }
    if (common.json) {
        std::cout << json::serialize(*answer) << '\n';
        return Exit::ok;
    }
    print_keys(*answer);
    std::cerr << as_typed(advice(options));
    return Exit::ok;
}

}  // namespace brickgate::cli
