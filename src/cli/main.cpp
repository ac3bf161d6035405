// SPDX-License-Identifier: Apache-2.0
// Parses the command line and calls the command; nothing else.
#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/command.h"

namespace {

using namespace brickgate;
using namespace brickgate::cli;

struct Arguments {
    Common common;
    std::string data, listen, private_listen;
    DemoOptions demo;
    SandboxCommand sandbox;
    LoginOptions login;
    TokenOptions token;
    ConnectionsOptions connections;
    ApiKeysOptions keys;
    std::string demo_listen;

    Common with_flags() const {
        Common out = common;
        if (!data.empty()) {
            out.flags["data.dir"] = data;
        }
        if (!listen.empty()) {
            out.flags["server.listen"] = listen;
        }
        if (!private_listen.empty()) {
            out.flags["server.private_listen"] = private_listen;
        }
        return out;
    }
};

void add_common(CLI::App* command, Arguments& arguments) {
    command->add_option("--config", arguments.common.config_file,
                        "configuration file (default: brickgate.toml, where there is one)");
    command->add_option("--data", arguments.data,
                        "data folder (default: $XDG_STATE_HOME/brickgate)");
    command->add_flag("--json", arguments.common.json, "answer in JSON");
}

void add_daemons(CLI::App& app, Arguments& arguments) {
    auto* const serve = app.add_subcommand("serve", "the daemon: sign-ins, tokens, refreshes");
    add_common(serve, arguments);
    serve->add_option("--listen", arguments.listen,
                      "ADDR:PORT for browsers (default 127.0.0.1:3000)");
    serve->add_option("--private-listen", arguments.private_listen,
                      "ADDR:PORT for programs, where --listen is not loopback");
    auto* const demo = app.add_subcommand(
        "demo", "the daemon and a practice Databricks in one, with a throw-away data folder");
    add_common(demo, arguments);
    demo->add_option("--listen", arguments.listen,
                     "ADDR:PORT (default 127.0.0.1:3000, or the next free port)");
    demo->add_option("--sandbox-listen", arguments.demo.sandbox_listen,
                     "ADDR:PORT of the practice Databricks (default: a free port)");
    auto* const sandbox =
        app.add_subcommand("sandbox", "the practice Databricks alone, for your own tests");
    sandbox->add_option("--listen", arguments.sandbox.listen, "ADDR:PORT")->capture_default_str();
    sandbox->add_option("--client-id", arguments.sandbox.client_id, "client id of its app")
        ->capture_default_str();
    sandbox->add_option("--client-secret", arguments.sandbox.client_secret,
                        "its secret; empty: a public client");
    sandbox
        ->add_option("--redirect-uri", arguments.sandbox.redirect_uris,
                     "where it may send people back to")
        ->capture_default_str();
    sandbox->add_option("--state-file", arguments.sandbox.state_file,
                        "keeps its grants over a restart");
}

void add_user_commands(CLI::App& app, Arguments& arguments) {
    auto* const login =
        app.add_subcommand("login", "sign in from a terminal, without an app of your own");
    add_common(login, arguments);
    login->add_option("host", arguments.login.host, "the workspace, as its address bar shows it")
        ->required();
    login->add_option("--subject", arguments.login.subject, "a name of yours for this connection");
    login->add_flag("--no-browser", arguments.login.no_browser, "only print the link");
    auto* const token = app.add_subcommand("token", "print a fresh access token");
    add_common(token, arguments);
    token->add_option("connection", arguments.token.connection,
                      "id of the connection, where there are several");
    token->add_option("--host", arguments.token.host, "the connection of this workspace");
    token->add_option("--min-valid", arguments.token.min_valid, "seconds of life it must have")
        ->check(CLI::Range(0, 86400));
    token
        ->add_option("--output", arguments.token.output,
                     "text, or json as `databricks auth token` prints it")
        ->check(CLI::IsMember({"text", "json"}));
    token->add_flag("--force-refresh", arguments.token.force_refresh, "refresh first");
}

void add_admin_commands(CLI::App& app, Arguments& arguments) {
    auto* const connections =
        app.add_subcommand("connections", "who is connected, and how they fare");
    connections->require_subcommand(1);
    auto* const list = connections->add_subcommand("list", "all of them");
    add_common(list, arguments);
    list->add_option("--subject", arguments.connections.subject, "only of this subject");
    list->add_option("--workspace", arguments.connections.workspace, "only of this workspace");
    list->add_option("--status", arguments.connections.status, "only in this state");
    for (auto const& [name, about] : std::vector<std::pair<std::string, std::string>>{
             {"show", "one of them, whole"},
             {"explain", "why it is as it is, and who must act"},
             {"refresh", "refresh its token now"},
             {"disconnect", "erase its tokens"}}) {
        auto* const command = connections->add_subcommand(name, about);
        add_common(command, arguments);
        command->add_option("id", arguments.connections.id, "id of the connection")->required();
    }
    auto* const keys = app.add_subcommand("api-keys", "who may call this gateway");
    keys->require_subcommand(1);
    auto* const create = keys->add_subcommand("create", "make a key; it is shown once");
    add_common(create, arguments);
    create->add_option("--name", arguments.keys.name, "what it is for")->required();
    create->add_option("--rights", arguments.keys.rights, "token:read, connections, proxy, admin")
        ->required()
        ->delimiter(',');
    create->add_option("--expires-in", arguments.keys.expires_in, "seconds until it ends")
        ->check(CLI::PositiveNumber);
    add_common(keys->add_subcommand("list", "all keys, without their secrets"), arguments);
    auto* const revoke = keys->add_subcommand("revoke", "end a key at once");
    add_common(revoke, arguments);
    revoke->add_option("id", arguments.keys.id, "id of the key")->required();
    add_common(app.add_subcommand("doctor",
                                  "check everything that can be wrong, with the remedy for each"),
               arguments);
    add_common(app.add_subcommand("config", "every setting, its value and where it came from"),
               arguments);
}

std::string chosen(CLI::App const& app) {
    auto const subcommands = app.get_subcommands();
    return subcommands.empty() ? "" : subcommands.front()->get_name();
}

int run(CLI::App const& app, Arguments& arguments) {
    std::string const command = chosen(app);
    Common const common = arguments.with_flags();
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
    if (command == "doctor") {
        return run_doctor(common);
    }
    if (command == "config") {
        return run_config(common);
    }
    if (command == "connections") {
        arguments.connections.action = chosen(*app.get_subcommands().front());
        return run_connections(common, arguments.connections);
    }
    arguments.keys.action = chosen(*app.get_subcommands().front());
    return run_api_keys(common, arguments.keys);
}

}  // namespace

int main(int count, char** values) {
    CLI::App app{"Brickgate, the authorization gateway for Databricks integrations"};
    app.set_version_flag("--version", "brickgate " BRICKGATE_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Start here: brickgate demo. Exit codes: 0 done, 1 failed, 64 usage, 69 unavailable, 75 in "
        "use, 78 configuration.");
    Arguments arguments;
    add_daemons(app, arguments);
    add_user_commands(app, arguments);
    add_admin_commands(app, arguments);
    try {
        app.parse(count, values);
    } catch (CLI::Success const& asked) {
        return app.exit(asked);
    } catch (CLI::ParseError const& wrong) {
        app.exit(wrong);
        return Exit::usage;
    }
    return run(app, arguments);
}
