// SPDX-License-Identifier: Apache-2.0
#include "cli/shim_arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace brickgate::cli {

namespace {

// Go's durations: 30s, 1h30m, 1.5h.
std::string no_duration(std::string const& text) {
    std::string_view rest = text;
    bool fits = !rest.empty();
    while (fits && !rest.empty()) {
        auto const digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
        rest.remove_prefix(digits);
        auto const unit = rest.substr(0, std::min(rest.find_first_of("0123456789."), rest.size()));
        fits = digits > 0 && (unit == "h" || unit == "m" || unit == "s" || unit == "ms" ||
                              unit == "us" || unit == "ns");
        rest.remove_prefix(unit.size());
    }
    return fits ? "" : "is no duration, such as 30s";
}

struct Words {
    ShimCall call;
    std::string output, log_level, log_file, log_format, target, timeout, workspace_id;
    bool version = false;
    bool debug = false;
};

// Flags of every command of that program; those that change nothing here are taken and let be.
void add_globals(CLI::App& app, Words& words) {
    app.add_option("-o,--output", words.output)
        ->transform(CLI::IsMember({"text", "json"}, CLI::ignore_case));
    app.add_option("-p,--profile", words.call.question.profile);
    app.add_option("-t,--target", words.target);
    app.add_flag("--debug", words.debug);
    app.add_option("--log-level", words.log_level);
    app.add_option("--log-file", words.log_file);
    app.add_option("--log-format", words.log_format);
}

}  // namespace

ShimCall parse_shim(std::vector<std::string> typed) {
    Words words;
    ShimCall& call = words.call;
    CLI::App app("databricks", "databricks");
    app.fallthrough();
    app.set_help_flag("-h,--help");
    app.add_flag("-v,--version", words.version);
    add_globals(app, words);
    auto* const version = app.add_subcommand("version")->fallthrough();
    auto* const auth = app.add_subcommand("auth")->fallthrough();
    auth->add_option("--host", call.question.host);
    auth->add_option("--account-id", call.account_id);
    auth->add_option("--workspace-id", words.workspace_id);
    auto* const token = auth->add_subcommand("token")->fallthrough();
    token->add_option("PROFILE", call.question.argument);
    token->add_flag("--force-refresh", call.force_refresh);
    token->add_option("--timeout", words.timeout)->check(CLI::Validator(no_duration, "", ""));
    std::ranges::reverse(typed);  // as CLI11 wants them
    try {
        app.parse(std::move(typed));
    } catch (CLI::CallForHelp const&) {
        call.command = ShimCall::Command::help;
        return call;
    } catch (CLI::ParseError const& wrong) {
        call.why = token->parsed() ? wrong.what() : "";
        return call;
    }
    call.json = words.output == "json";
    call.text = words.output == "text";
    if (token->parsed()) {
        call.command = ShimCall::Command::token;
    } else if (version->parsed() || words.version) {
        call.command = ShimCall::Command::version;
    }
    return call;
}

}  // namespace brickgate::cli
