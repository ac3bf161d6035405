// SPDX-License-Identifier: Apache-2.0
#pragma once
// From flags, environment, .env, file and defaults to one checked Config, each value with its
// source (docs/adr/0007). All errors at once. The sources are arguments; read_sources gathers the
// real ones.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "brickgate/config.h"

namespace brickgate {

using ConfigValues = std::map<std::string, std::string>;

struct ConfigSources {
    ConfigSources() = default;
    ConfigSources(ConfigSources&&) = default;
    ConfigSources& operator=(ConfigSources&&) = default;
    ~ConfigSources();  // overwrites what it holds: secrets are among it

    ConfigValues flags;        // by setting name: "server.listen"
    ConfigValues environment;  // by environment name
    ConfigValues dotenv;       // likewise
    std::string file_text;
    std::string file_name;      // empty: there is none
    bool file_is_wide = false;  // others may read it
    std::string default_data_dir;
};

struct LoadedConfig {
    Config config;
    std::map<std::string, std::string> source;  // setting name -> where its value came from
    std::vector<std::string> warnings;
};

// A value that is set but empty counts as not set in the environment and in .env. `before`: on a
// reload, for the secrets, which the environment no longer has.
std::expected<LoadedConfig, std::vector<std::string>> load_config(
    ConfigSources const& sources, LoadedConfig const* before = nullptr);

// What the files of the folder that one happens to stand in may decide. Somebody else may have put
// them there, or one has cloned them: a proxy, an authority or a data folder of theirs would be
// handed our secrets.
enum class WorkingFolder : std::uint8_t {
    decides,        // everything: who runs the gateway stands there on purpose
    names_the_app,  // .env names host and client, and nothing else is taken
    is_ignored,
};

// The process's own environment, .env and brickgate.toml of the working folder as far as they
// count, else brickgate.toml of the user's configuration folder; or `config_file` alone. A file
// that others could have written is refused, the named one excepted. Secrets are taken out of the
// environment (T65). Errors: config_invalid.
Result<ConfigSources> read_sources(ConfigValues flags, std::string const& config_file,
                                   std::vector<std::string>& warnings,
                                   WorkingFolder folder = WorkingFolder::decides);

}  // namespace brickgate
