// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/command.h"
#include "cli/terminal.h"

namespace brickgate::cli {

int complain(Error const& error) {
    std::cerr << "brickgate: " << error.message() << '\n';
    if (!error.hint().empty()) {
        std::cerr << "  " << as_typed(error.hint()) << '\n';
    }
    if (!error.detail().empty()) {
        std::cerr << "  (" << error.detail() << ")\n";
    }
    std::cerr << "  code: " << error.name() << '\n';
    switch (error.code()) {
        case ErrorCode::in_use:
            return Exit::in_use;
        case ErrorCode::address_in_use:
        case ErrorCode::upstream_unreachable:
            return Exit::unavailable;
        case ErrorCode::config_invalid:
        case ErrorCode::root_key_invalid:
        case ErrorCode::keyring_invalid:
        case ErrorCode::data_folder_invalid:
            return Exit::bad_config;
        case ErrorCode::invalid_request:
            return Exit::usage;
        default:
            return Exit::failed;
    }
}

int complain(std::vector<std::string> const& lines) {
    for (auto const& line : lines) {
        std::cerr << "brickgate: " << line << '\n';
    }
    return Exit::bad_config;
}

std::expected<LoadedConfig, std::vector<std::string>> try_load(Common const& common,
                                                               LoadedConfig const* before) {
    std::vector<std::string> warnings;
    auto sources = read_sources(common.flags, common.config_file, warnings, common.folder);
    if (!sources) {
        return std::unexpected(std::vector{sources.error().message() + " (" +
                                           std::string(sources.error().name()) + ")"});
    }
    if (common.folder == WorkingFolder::names_the_app && !before) {
        complain(warnings);  // once; daemons and doctor have their own place for them
    }
    auto loaded = load_config(*sources, before);
    if (!loaded) {
        return std::unexpected(std::move(loaded.error()));
    }
    for (auto& warning : warnings) {
        loaded->warnings.push_back(std::move(warning));
    }
    return std::move(*loaded);
}

std::expected<LoadedConfig, int> load(Common const& common, LoadedConfig const* before) {
    auto loaded = try_load(common, before);
    if (!loaded) {
        return std::unexpected(complain(loaded.error()));
    }
    return std::move(*loaded);
}

}  // namespace brickgate::cli
