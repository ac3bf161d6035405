// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <optional>

#include "cli/argument_helpers.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

constexpr int ten_years = 315'360'000;  // in seconds, as the API has it

std::string no_life(std::string const& text) {
    std::int64_t seconds = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    bool const number = failed == std::errc() && end == text.data() + text.size();
    return number && seconds >= 1 && seconds <= ten_years ? "" : "seconds, from 1 to ten years";
}

// One of a list: "a, b" is as good as "a,b".
std::string without_spaces(std::string& text) {
    std::erase(text, ' ');
    return "";
}

// Paths are appended to it.
std::string no_origin(std::string const& text) {
    bool const web = text.starts_with("http://") || text.starts_with("https://");
    bool const bare = std::ranges::count(text, '/') == 2 && !text.ends_with('/');
    return web && bare ? "" : "an origin is scheme, host and port: https://workspace.test:8443";
}

void add_daemons(CLI::App& app, Arguments& arguments) {
    auto* const serve = app.add_subcommand("serve", "the daemon: sign-ins, tokens, refreshes");
    add_place(serve, arguments);
    option(serve, "--listen", arguments.listen, "ADDR:PORT",
           "for browsers, and on loopback for programs (default 127.0.0.1:3000)");
    option(serve, "--private-listen", arguments.private_listen, "ADDR:PORT",
           "for programs, where --listen is not loopback; or unix:/path");
    auto* const demo = app.add_subcommand(
        "demo", "the daemon and a practice Databricks in one, with a throw-away data folder");
    add_place(demo, arguments);
    demo->get_option("--data")->description("data folder (default: .brickgate/demo)");
    option(demo, "--listen", arguments.listen, "ADDR:PORT",
           "default 127.0.0.1:3000, or the next free port");
    option(demo, "--sandbox-listen", arguments.demo.sandbox_listen, "ADDR:PORT",
           "of the practice Databricks (default: a free port, the same each time)");
    auto* const sandbox =
        app.add_subcommand("sandbox", "the practice Databricks alone, for your own tests");
    auto& of_sandbox = arguments.sandbox;
    option(sandbox, "--listen", of_sandbox.listen, "ADDR:PORT", "where it answers")
        ->capture_default_str();
    option(sandbox, "--client-id", of_sandbox.client_id, "ID", "client id of its app")
        ->capture_default_str();
    option(sandbox, "--client-secret", of_sandbox.client_secret, "SECRET",
           "its secret; empty: a public client")
        ->capture_default_str();
    option(sandbox, "--redirect-uri", of_sandbox.redirect_uris, "URI ...",
           "where it may send people back to")
        ->capture_default_str();
    option(sandbox, "--state-file", of_sandbox.state_file, "FILE",
           "keeps what it granted over a restart");
    option(sandbox, "--origin", of_sandbox.origin, "URL",
           "what its documents call it, where something stands in front")
        ->check(no_origin);
}

void add_user_commands(CLI::App& app, Arguments& arguments) {
    auto* const login =
        app.add_subcommand("login", "sign in from a terminal, without an app of your own");
    add_common(login, arguments);
    option(login, "host", arguments.login.host, "", "the workspace, as its address bar shows it")
        ->required();
    option(login, "--subject", arguments.login.subject, "NAME",
           "a name of yours for this connection");
    login->add_flag("--no-browser", arguments.login.no_browser, "only print the link");
    auto* const token = app.add_subcommand("token", "print a fresh access token");
    add_common(token, arguments);
    option(token, "connection", arguments.token.connection, "",
           "id of the connection, where there are several");
    option(token, "--host", arguments.token.host, "HOST", "the connection of this workspace");
    option(token, "--min-valid", arguments.token.min_valid, "SECONDS",
           "the life it must have; no more than half of a whole one is promised")
        ->check(CLI::Range(0, 86400).description(""));
    option(token, "--output", arguments.token.output, "text|json",
           "text, or json as `databricks auth token` prints it")
        ->check(CLI::IsMember({"text", "json"}).description(""));
    token->add_flag("--force-refresh", arguments.token.force_refresh, "refresh first");
    auto* const write = option(token, "--write", arguments.token.write, "FILE",
                               "keep a file fresh instead, for its owner alone, until ended");
    option(token, "--format", arguments.token.format, "text|json|env", "what the file holds")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json", "env"}).description(""))
        ->needs(write);
    token->add_flag("--once", arguments.token.once, "write the file once")->needs(write);
}

void add_shim(CLI::App& app, Arguments& arguments) {
    auto* const shim =
        app.add_subcommand("databricks-shim", "answer as Databricks' own CLI does, for SDKs");
    option(shim, "--install", arguments.shim.folder, "DIR",
           "put it there, under the name databricks")
        ->required();
    shim->add_flag("--force", arguments.shim.force, "replace a databricks that is not ours");
    shim->footer(
        "Any other words are what would be typed after `databricks`: brickgate databricks-shim "
        "auth token --host HOST");
}

void add_connections(CLI::App& app, Arguments& arguments) {
    auto* const connections =
        app.add_subcommand("connections", "who is connected, and how they fare");
    connections->require_subcommand(1);
    auto* const list = connections->add_subcommand("list", "all of them");
    add_common(list, arguments);
    auto& of_list = arguments.connections;
    option(list, "--subject", of_list.subject, "NAME", "only of this subject");
    option(list, "--workspace", of_list.workspace, "URL", "only of this workspace");
    option(list, "--status", of_list.status, "STATE",
           "only in this state, such as active or reauth_required");
    for (auto const& [name, about] : std::vector<std::pair<std::string, std::string>>{
             {"show", "one of them, whole"},
             {"explain", "why it is as it is, and who must act"},
             {"refresh", "refresh its token now"},
             {"disconnect", "erase its tokens"}}) {
        auto* const command = connections->add_subcommand(name, about);
        add_common(command, arguments);
        option(command, "id", arguments.connections.id, "", "id of the connection")->required();
    }
    auto* const release = connections->add_subcommand(
        "release", "let one go on that a restored backup holds back, or --all");
    add_common(release, arguments);
    auto* const id = option(release, "id", of_list.id, "", "id of the connection");
    release->add_flag("--all", of_list.all, "every one that is held back")->excludes(id);
}

void add_service_principals(CLI::App& app, Arguments& arguments) {
    auto* const all = app.add_subcommand("service-principals",
                                         "connections without a person: an id and a secret");
    all->require_subcommand(1);
    auto const reads_secret =
        "The secret is read from DATABRICKS_CLIENT_SECRET, else from standard input.";
    auto& of_all = arguments.principals;
    auto* const add = all->add_subcommand("add", "try its secret at the workspace and keep it");
    add->footer(reads_secret);
    add_common(add, arguments);
    option(add, "host", of_all.host, "", "the workspace, with or without https://")->required();
    option(add, "--client-id", of_all.client_id, "ID", "its application id")->required();
    option(add, "--scopes", of_all.scopes, "SCOPES", "what to ask for (default: all-apis)");
    option(add, "--subject", of_all.subject, "NAME", "your own name for whom it is");
    auto* const second = all->add_subcommand("add-secret", "a second secret beside the first");
    second->footer(reads_secret);
    add_common(second, arguments);
    option(second, "id", of_all.id, "", "id of the connection")->required();
    auto* const drop = all->add_subcommand("drop-older-secret", "forget the older of two");
    add_common(drop, arguments);
    option(drop, "id", of_all.id, "", "id of the connection")->required();
}

void add_api_keys(CLI::App& app, Arguments& arguments) {
    auto* const keys = app.add_subcommand("api-keys", "who may call this gateway");
    keys->require_subcommand(1);
    auto* const create = keys->add_subcommand("create", "make a key; it is shown once");
    add_common(create, arguments);
    option(create, "--name", arguments.keys.name, "NAME", "what it is for")->required();
    option(create, "--rights", arguments.keys.rights, "RIGHT,...",
           "token:read, connections, proxy, admin")
        ->required()
        ->delimiter(',')
        ->transform(CLI::Validator(without_spaces, "", ""));
    option(create, "--expires-in", arguments.keys.expires_in, "SECONDS", "until it ends")
        ->check(CLI::Validator(no_life, "", ""));
    add_common(keys->add_subcommand("list", "all keys, without their secrets"), arguments);
    auto* const revoke = keys->add_subcommand("revoke", "end a key at once");
    add_common(revoke, arguments);
    option(revoke, "id", arguments.keys.id, "", "id of the key")->required();
}

void add_capabilities(CLI::App& app, Arguments& arguments) {
    auto* const all =
        app.add_subcommand("capabilities", "a connection as a token of ours, for SDKs and drivers");
    all->require_subcommand(1);
    auto& of_all = arguments.capabilities;
    auto* const create = all->add_subcommand("create", "make one; it is shown once");
    add_common(create, arguments);
    option(create, "--connection", of_all.connection, "ID", "the connection it stands for")
        ->required();
    option(create, "--name", of_all.name, "NAME", "what it is for");
    option(create, "--methods", of_all.methods, "METHOD,...",
           "HTTP methods it may be used for (default: any)")
        ->delimiter(',')
        ->transform(CLI::Validator(without_spaces, "", ""));
    option(create, "--paths", of_all.paths, "PATH,...",
           "paths it may be used for, with all below them (default: any)")
        ->delimiter(',')
        ->transform(CLI::Validator(without_spaces, "", ""));
    option(create, "--expires-in", of_all.expires_in, "SECONDS", "until it ends")
        ->check(CLI::Validator(no_life, "", ""));
    auto* const list = all->add_subcommand("list", "all of them, without their secrets");
    add_common(list, arguments);
    option(list, "--connection", of_all.connection, "ID", "only of this connection");
    auto* const revoke = all->add_subcommand("revoke", "end one at once");
    add_common(revoke, arguments);
    option(revoke, "id", of_all.id, "", "id of the capability")->required();
}

void add_operator_commands(CLI::App& app, Arguments& arguments) {
    add_common(app.add_subcommand("doctor",
                                  "check everything that can be wrong, with the remedy for each"),
               arguments);
    add_common(app.add_subcommand("config", "every setting, its value and where it came from"),
               arguments);
    app.add_subcommand("version", "what this is")
        ->add_flag("--json", arguments.common.json, "answer in JSON");
}

std::string chosen(CLI::App const& app) {
    auto const subcommands = app.get_subcommands();
    return subcommands.empty() ? "" : subcommands.front()->get_name();
}

Common with_flags(Arguments const& arguments) {
    Common out = arguments.common;
    auto const put = [&](char const* setting, std::string const& value) {
        if (!value.empty()) {
            out.flags[setting] = value;
        }
    };
    put("data.dir", arguments.data);
    put("server.listen", arguments.listen);
    put("server.private_listen", arguments.private_listen);
    return out;
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Arguments& arguments) {
    auto app = std::make_unique<CLI::App>(
        "Brickgate, the authorization gateway for Databricks integrations", "brickgate");
    app->set_version_flag("--version", "brickgate " BRICKGATE_VERSION);
    app->require_subcommand(1);
    add_daemons(*app, arguments);
    add_user_commands(*app, arguments);
    add_connections(*app, arguments);
    add_service_principals(*app, arguments);
    add_api_keys(*app, arguments);
    add_capabilities(*app, arguments);
    add_vault_commands(*app, arguments);
    add_shim(*app, arguments);
    add_operator_commands(*app, arguments);
    app->footer(
        "Start here: brickgate demo\n"
        "Exit codes: 0 done, 1 failed, 64 usage, 69 unavailable, 75 in use, 78 configuration\n"
        "`brickgate COMMAND --help` says more about each.");
    return app;
}

int run(CLI::App const& app, Arguments& arguments) {
    std::string const command = chosen(app);
    Common common = with_flags(arguments);
    if (command == "serve" || command == "demo" || command == "doctor" || command == "config") {
        common.folder = WorkingFolder::decides;
    }
    if (command == "serve") {
        return run_serve(common);
    }
    if (command == "demo") {
        arguments.demo.listen_given = !arguments.listen.empty();
        return run_demo(common, arguments.demo);
    }
    if (command == "sandbox") {
        return run_sandbox(arguments.sandbox);
    }
    if (command == "login") {
        return run_login(common, arguments.login);
    }
    if (command == "token") {
        return run_token(common, arguments.token);
    }
    if (command == "databricks-shim") {
        return run_shim_install(arguments.shim);
    }
    if (command == "doctor") {
        return run_doctor(common);
    }
    if (command == "config") {
        return run_config(common);
    }
    if (command == "version") {
        return run_version(common);
    }
    if (command == "connections") {
        arguments.connections.action = chosen(*app.get_subcommands().front());
        return run_connections(common, arguments.connections);
    }
    if (command == "service-principals") {
        arguments.principals.action = chosen(*app.get_subcommands().front());
        return run_service_principals(common, arguments.principals);
    }
    if (command == "keys") {
        arguments.vault_keys.action = chosen(*app.get_subcommands().front());
        return run_keys(common, arguments.vault_keys);
    }
    if (command == "backup") {
        return run_backup(common, arguments.backup);
    }
    if (command == "restore") {
        return run_restore(common, arguments.backup);
    }
    if (command == "capabilities") {
        arguments.capabilities.action = chosen(*app.get_subcommands().front());
        return run_capabilities(common, arguments.capabilities);
    }
    arguments.keys.action = chosen(*app.get_subcommands().front());
    return run_api_keys(common, arguments.keys);
}

namespace {

// The words for the stand-in for Databricks' CLI, where it is called: by its name, or as a command
// with other options than its own.
std::optional<std::vector<std::string>> shim_words(int count, char const* const* values) {
    std::vector<std::string> words(values, values + count);
    if (words.empty()) {
        return std::nullopt;
    }
    if (std::filesystem::path(words.front()).filename() == "databricks") {
        return std::vector(words.begin() + 1, words.end());
    }
    bool const as_command = words.size() > 1 && words[1] == "databricks-shim";
    bool const own = words.size() > 2 && (words[2] == "--install" || words[2] == "--force" ||
                                          words[2].starts_with("--install=") ||
                                          words[2] == "--help" || words[2] == "-h");
    if (!as_command || own) {
        return std::nullopt;
    }
    return std::vector(words.begin() + 2, words.end());
}

}  // namespace

// What is wrong with the words, as this program's own sentences have it.
std::string sentence_for(CLI::App const& app, CLI::ParseError const& wrong) {
    std::string path = "brickgate";
    auto const* at = &app;
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        path += " " + at->get_name();
    }
    bool const wants_word = at->get_require_subcommand_min() > 0;
    auto const rest = at->remaining();
    if (wants_word && !rest.empty() && !rest.front().starts_with('-')) {
        std::string const command = path.substr(path.find(' ') + 1) + " " + rest.front();
        bool const first = path.find(' ') == std::string::npos;
        return "there is no command '" + (first ? rest.front() : command) + "'. " + path +
               " --help lists them.";
    }
    if (wants_word && rest.empty()) {
        std::string words;
        for (auto const* const one : at->get_subcommands([](CLI::App const*) { return true; })) {
            words += (words.empty() ? "" : ", ") + one->get_name();
        }
        return path + " needs one of these words: " + words + ".";
    }
    return std::string(wrong.what()) + ". " + path + " --help says what may be given.";
}

int run_program(int count, char const* const* values) {
    CleanStream const clean(std::cerr);
    if (auto const words = shim_words(count, values)) {
        Common common;
        common.folder = WorkingFolder::is_ignored;  // SDKs call it wherever their program stands
        return run_databricks_shim(common, *words);
    }
    Arguments arguments;
    arguments.common.program = values[0];
    auto const app = make_app(arguments);
    if (count < 2) {
        std::cerr << app->help();
        return Exit::usage;
    }
    try {
        app->parse(count, values);
    } catch (CLI::Success const& asked) {
        return app->exit(asked);
    } catch (CLI::ParseError const& wrong) {
        std::cerr << "brickgate: " << sentence_for(*app, wrong) << '\n';
        return Exit::usage;
    }
    return run(*app, arguments);
}

}  // namespace brickgate::cli
