// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "app/settings_table.h"
#include "cli/command.h"

namespace brickgate::cli {

int run_config(Common const& common) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    json::object out;
    for (auto const& setting : all_settings()) {
        std::string const value = setting.show(loaded->config);
        std::string const& source = loaded->source.at(setting.name());
        out[setting.name()] = {{"value", value}, {"source", source}};
        if (!common.json) {
            std::cout << setting.name() << " = " << value << "   [" << source << "]\n";
        }
    }
    if (common.json) {
        std::cout << json::serialize(out) << '\n';
        return Exit::ok;
    }
    for (auto const& warning : loaded->warnings) {
        std::cerr << "brickgate: " << warning << '\n';
    }
    return Exit::ok;
}

int run_version(Common const& common) {
    if (common.json) {
        std::cout << json::serialize(json::object{{"version", BRICKGATE_VERSION}}) << '\n';
    } else {
        std::cout << "brickgate " << BRICKGATE_VERSION << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
