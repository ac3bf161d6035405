// SPDX-License-Identifier: Apache-2.0
// Stands in for Databricks' own CLI where SDKs call it for a token (databricks-facts 5.2, 5.3): the
// same words, the same JSON, and the phrases that they look for. Standard output has the answer and
// nothing else. "not found" is in no sentence of ours: the Java SDK takes that for "no CLI here"
// and passes on without a word.
#include "cli/databricks_shim.h"

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "app/process.h"
#include "cli/shim_arguments.h"
#include "cli/terminal.h"
#include "cli/tokens.h"

namespace brickgate::cli {

namespace {

// Reported to SDKs that ask how old this CLI is. From 0.207.1 they say --profile, from 0.296.0 they
// say --force-refresh at each of their refreshes: nothing that came later is promised.
constexpr int cli_version[] = {0, 296, 0};
// Younger than this, a token is as fresh as a forced refresh would make it: its asker's own cache
// had none, or a worse one.
constexpr int young_seconds = 60;

constexpr std::string_view what_this_is =
    "This is Brickgate's stand-in for the Databricks CLI. It hands tokens to SDKs and drivers and\n"
    "knows these words only:\n"
    "\n"
    "  databricks version [--output json]\n"
    "  databricks auth token [PROFILE] [--host HOST] [--profile NAME] [--force-refresh]\n"
    "                        [--output text|json]\n"
    "\n"
    "To sign in: brickgate login HOST. For everything else call Databricks' own CLI by its path, "
    "or\n"
    "take this one off the PATH. docs/cli-shim.md says more.\n";

int print_version(bool as_json) {
    std::string const number = std::to_string(cli_version[0]) + "." +
                               std::to_string(cli_version[1]) + "." +
                               std::to_string(cli_version[2]);
    if (!as_json) {
        std::cout << "Databricks CLI v" << number << '\n';
        return Exit::ok;
    }
    std::cout << "{\n  \"ProjectName\": \"brickgate\",\n  \"Version\": \"" << number
              << "\",\n  \"Tag\": \"v" << number << "\",\n  \"Major\": " << cli_version[0]
              << ",\n  \"Minor\": " << cli_version[1] << ",\n  \"Patch\": " << cli_version[2]
              << ",\n  \"Prerelease\": \"\",\n  \"IsSnapshot\": false,\n  \"Summary\": "
                 "\"Brickgate " BRICKGATE_VERSION " in the place of the Databricks CLI\"\n}\n";
    return Exit::ok;
}

int explain(ShimCall const& call) {
    if (call.command == ShimCall::Command::help) {
        std::cout << what_this_is;
        return Exit::ok;
    }
    if (!call.why.empty()) {
        std::cerr << "Error: " << call.why << "\n\n";
    }
    std::cerr << what_this_is;
    return Exit::usage;
}

int refuse(ShimCall const& call, ShimRefusal const& refusal) {
    if (call.json) {
        std::cerr << json::serialize(
                         json::object{{"error_code", refusal.code}, {"message", refusal.sentence}})
                  << '\n';
    } else {
        std::cerr << "Error: " << refusal.sentence << '\n';
    }
    return Exit::failed;
}

DatabricksCfg read_cfg() {
    std::string path = environment_variable("DATABRICKS_CONFIG_FILE");
    std::string const home = environment_variable("HOME");
    if (path.empty()) {
        path = "~/.databrickscfg";
    }
    if (path.starts_with("~/")) {
        path = home + path.substr(1);
    }
    std::ifstream in(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    auto cfg = DatabricksCfg::parse(text);
    wipe(text);
    cfg.path = path;
    return cfg;
}

int print_token(Common const& common, ShimCall const& call) {
    ShimSurroundings const around{environment_variable("DATABRICKS_HOST"),
                                  environment_variable("DATABRICKS_CONFIG_PROFILE"),
                                  environment_variable("BRICKGATE_CONNECTION")};
    auto const target = shim_target(call.question, around, read_cfg());
    if (!target) {
        return refuse(call, {"INVALID_PARAMETER_VALUE", target.error()});
    }
    auto loaded = try_load(common);
    if (!loaded) {
        std::string sentence = "Brickgate's configuration is wrong:";
        for (auto const& line : loaded.error()) {
            sentence += "\n  " + line;
        }
        return refuse(call, {"INTERNAL_ERROR", std::move(sentence)});
    }
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return refuse(call, shim_refusal(admin.error(), target->host));
    }
    std::string warning;
    auto const token = shim_token(**admin, *target, call.force_refresh, warning);
    if (!token) {
        return refuse(call, shim_refusal(token.error(), target->host));
    }
    if (!warning.empty()) {
        std::cerr << "Warning: " << warning << '\n';
    }
    if (call.text) {
        std::cout << text_at(*token, "access_token") << '\n';
    } else {
        std::cout << token_document(*token);
    }
    return Exit::ok;
}

// Under this name there is no command to sign in with.
std::string how_it_is_found() {
    std::istringstream folders(environment_variable("PATH"));
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (access((folder + "/brickgate").c_str(), X_OK) == 0) {
            return {};
        }
    }
    return calling_script().empty()
               ? "\n\nNo brickgate is on the PATH: call it by its path, or as ./run brickgate."
               : "";
}

}  // namespace

ShimRefusal shim_refusal(Error const& error, std::string const& host) {
    std::string const login = as_typed("brickgate login " + (host.empty() ? "HOST" : host));
    switch (error.code()) {
        case ErrorCode::connection_unknown:
        case ErrorCode::connection_pending:
        case ErrorCode::disconnected:
            return {"UNAUTHENTICATED",
                    "cache: databricks OAuth is not configured for this host. " + error.message() +
                        " BRICKGATE_DATA_DIR names another data folder.\n\nTo sign in, run the "
                        "following command:\n\n  $ " +
                        login + how_it_is_found()};
        case ErrorCode::reauth_required:
        case ErrorCode::session_only:
            return {"UNAUTHENTICATED",
                    "A new access token could not be retrieved because the refresh token is "
                    "invalid. " +
                        error.message() +
                        "\n\nTo reauthenticate, run the following command:\n\n  $ " + login +
                        how_it_is_found()};
        default:
            break;
    }
    std::string sentence = error.message();
    if (!error.hint().empty()) {
        sentence +=
            (sentence.find('\n') == std::string::npos ? " " : "\n") + as_typed(error.hint());
    }
    sentence += " (Brickgate: " + std::string(error.name()) + ")";
    bool const wrong_words = error.code() == ErrorCode::invalid_request ||
                             error.code() == ErrorCode::host_denied ||
                             error.code() == ErrorCode::host_required;
    return {wrong_words                     ? "INVALID_PARAMETER_VALUE"
            : error.retry() == Retry::later ? "TEMPORARILY_UNAVAILABLE"
                                            : "INTERNAL_ERROR",
            std::move(sentence)};
}

Result<json::object> shim_token(Admin& admin, ShimTarget const& target, bool force,
                                std::string& warning) {
    ConnectionChoice choice{.id = target.connection, .host = target.host};
    choice.how =
        "Set BRICKGATE_CONNECTION to one of these ids, or brickgate_connection in a "
        "profile of ~/.databrickscfg.";
    auto const row = choose_connection(admin, choice);
    if (!row && row.error().code() == ErrorCode::connection_unknown && !choice.id.empty()) {
        // Not as one that has yet to sign in: SDKs pass over that and ask elsewhere.
        return fail(Error(ErrorCode::invalid_request, "There is no connection " + choice.id +
                                                          ". The data folder is " + admin.folder() +
                                                          ".")
                        .with_hint(choice.how));
    }
    if (!row) {
        return fail(row.error());
    }
    std::string const path = "/v1/connections/" + percent_encode(text_at(*row, "id"));
    if (!force) {
        return ask(admin, "GET", path + "/token");
    }
    auto const refreshed =
        ask(admin, "POST", path + "/refresh", {{"if_older_than", young_seconds}});
    auto token = ask(admin, "GET", path + "/token");
    if (!refreshed && token) {
        // The workspace cannot be reached now, and what we have is good: better than nothing.
        warning = "no new token (" + std::string(refreshed.error().name()) +
                  "); the one before is good until " + text_at(*token, "expires_at") + ".";
    }
    return token;
}

int run_databricks_shim(Common const& common, std::vector<std::string> const& words) {
    auto const call = parse_shim(words);
    switch (call.command) {
        case ShimCall::Command::version:
            return print_version(call.json);
        case ShimCall::Command::token:
            return print_token(common, call);
        default:
            return explain(call);
    }
}

}  // namespace brickgate::cli
