// SPDX-License-Identifier: Apache-2.0
#pragma once
// From flags, environment, .env, file and defaults to one checked Config, each value with its
// source (docs/adr/0007). All errors at once. The sources are arguments; read_sources gathers the
// real ones.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "brickgate/config.h"

namespace brickgate {

using ConfigValues = std::map<std::string, std::string>;

struct ConfigSources {
    ConfigValues flags;        // by setting name: "server.listen"
    ConfigValues environment;  // by environment name
    ConfigValues dotenv;       // likewise
    std::string file_text;
    std::string file_name;     // empty: there is none
    std::string state_folder;  // where the data folder is by default
};

struct LoadedConfig {
    Config config;
    std::map<std::string, std::string> source;  // setting name -> where its value came from
    std::vector<std::string> warnings;
};

std::expected<LoadedConfig, std::vector<std::string>> load_config(ConfigSources const& sources);

// The process's own environment, .env of the working folder, brickgate.toml there or `config_file`.
// Secrets are taken out of the environment.
Result<ConfigSources> read_sources(ConfigValues flags, std::string const& config_file,
                                   std::vector<std::string>& warnings);

}  // namespace brickgate
