// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/command.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

std::string again_in(Error const& error) {
    auto const wait = error.retry_after();
    return wait ? "Try again in " + std::to_string(wait->count()) + " seconds."
                : "Try again in a moment.";
}

// The table's hints are for programs that call the API.
std::string hint_here(Error const& error, std::string const& connection) {
    if (error.hint() != info_of(error.code()).hint) {
        return std::string(error.hint());
    }
    std::string const explain =
        "brickgate connections explain " + (connection.empty() ? "ID" : connection);
    switch (error.code()) {
        case ErrorCode::invalid_request:
            return {};  // the message says it
        case ErrorCode::not_found:
            return "What there is: brickgate api-keys list, brickgate capabilities list";
        case ErrorCode::connection_unknown:
            return "What there is: brickgate connections list";
        case ErrorCode::host_required:
            return "Name the workspace: brickgate login HOST";
        case ErrorCode::connection_pending:
        case ErrorCode::disconnected:
            return "Sign in again: brickgate login HOST, or /auth in a browser.";
        case ErrorCode::reauth_required:
            return "Sign in again, in the way of the first time: brickgate login HOST, or /auth in "
                   "a browser; the id stays. More: " +
                   explain;
        case ErrorCode::refresh_pending:
        case ErrorCode::rate_limited:
        case ErrorCode::overloaded:
            return again_in(error);
        case ErrorCode::refresh_failed:
            return "More: " + explain;
        case ErrorCode::token_malformed:
            return "The gateway keeps it and tries again. More: " + explain;
        case ErrorCode::app_fault:
            return "Mend CLIENT_ID and CLIENT_SECRET, and start the gateway again. More: " +
                   explain;
        default:
            return std::string(error.hint());
    }
}

}  // namespace

int complain(Error const& error, std::string const& connection) {
    std::cerr << "brickgate: " << error.message() << '\n';
    if (auto const hint = hint_here(error, connection); !hint.empty()) {
        std::cerr << "  " << as_typed(hint) << '\n';
    }
    if (!error.detail().empty()) {
        std::cerr << "  (" << error.detail() << ")\n";
    }
    std::cerr << "  code: " << error.name()
              << (error.reason().empty() ? "" : " (" + error.reason() + ")") << '\n';
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
        case ErrorCode::backup_invalid:
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
