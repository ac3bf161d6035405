// SPDX-License-Identifier: Apache-2.0
#pragma once
// The command line: what can be typed, what it means, which command it calls.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command.h"

namespace brickgate::cli {

struct Arguments {
    Common common;
    std::string data, listen, private_listen;
    DemoOptions demo;
    SandboxCommand sandbox;
    LoginOptions login;
    TokenOptions token;
    ShimInstallOptions shim;
    ConnectionsOptions connections;
    ApiKeysOptions keys;
    CapabilitiesOptions capabilities;
    ServicePrincipalsOptions principals;
    VaultKeysOptions vault_keys;
    BackupOptions backup;
};

// Parsing it fills `arguments`, which must outlive it.
std::unique_ptr<CLI::App> make_app(Arguments& arguments);
int run(CLI::App const& app, Arguments& arguments);
void add_vault_commands(CLI::App& app, Arguments& arguments);
// Parses and runs: the whole program.
int run_program(int count, char const* const* values);

}  // namespace brickgate::cli
