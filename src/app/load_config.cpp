// SPDX-License-Identifier: Apache-2.0
#include "app/load_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "app/dotenv.h"
#include "app/settings_table.h"
#include "app/validate_config.h"
#include "base/encoding.h"

extern char** environ;

namespace brickgate {

namespace {

std::string as_text(toml::node const& node) {
    if (auto const* text = node.as_string()) {
        return text->get();
    }
    if (auto const* number = node.as_integer()) {
        return std::to_string(number->get());
    }
    if (auto const* flag = node.as_boolean()) {
        return flag->get() ? "true" : "false";
    }
    if (auto const* list = node.as_array()) {
        std::string out;
        for (auto const& entry : *list) {
            out += (out.empty() ? "" : ",") + as_text(entry);
        }
        return out;
    }
    return {};
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t const above = row[j];
            row[j] =
                std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string nearest_setting(std::string const& name) {
    auto const found = std::ranges::min_element(
        all_settings(), {}, [&](auto const& setting) { return distance(setting.name(), name); });
    return found->name();
}

std::string nearest_environment(std::string const& name) {
    auto const found = std::ranges::min_element(all_settings(), {}, [&](auto const& setting) {
        return distance(setting.environment_name(), name);
    });
    return found->environment_name();
}

ConfigValues read_file(ConfigSources const& sources, std::vector<std::string>& errors) {
    ConfigValues values;
    if (sources.file_name.empty()) {
        return values;
    }
    try {
        auto const table = toml::parse(sources.file_text);
        for (auto const& [section, node] : table) {
            auto const* const inner = node.as_table();
            if (!inner) {
                errors.push_back(sources.file_name + ": '" + std::string(section.str()) +
                                 "' must stand in a section, such as [server]");
                continue;
            }
            for (auto const& [key, value] : *inner) {
                values[std::string(section.str()) + "." + std::string(key.str())] = as_text(value);
            }
        }
    } catch (toml::parse_error const& error) {
        errors.push_back(sources.file_name + ", line " + std::to_string(error.source().begin.line) +
                         ": " + std::string(error.description()));
    }
    for (auto const& [name, value] : values) {
        bool const known = std::ranges::any_of(
            all_settings(), [&](auto const& setting) { return setting.name() == name; });
        if (!known) {
            errors.push_back(sources.file_name + ": there is no setting '" + name +
                             "'; did you mean '" + nearest_setting(name) + "'?");
        }
    }
    return values;
}

void refuse_unknown(ConfigValues const& environment, std::string_view where,
                    std::vector<std::string>& errors) {
    for (auto const& [name, value] : environment) {
        if (!name.starts_with("BRICKGATE_")) {
            continue;
        }
        bool const known = std::ranges::any_of(all_settings(), [&](auto const& setting) {
            return setting.environment_name() == name;
        });
        if (!known) {
            errors.push_back(std::string(where) + ": there is no setting '" + name +
                             "'; did you mean '" + nearest_environment(name) + "'?");
        }
    }
}

struct Found {
    std::string value;
    std::string source;
};

std::optional<Found> look_up(Setting const& setting, ConfigSources const& sources,
                             ConfigValues const& file) {
    auto const in = [](ConfigValues const& values,
                       std::string const& name) -> std::optional<std::string> {
        auto const found = values.find(name);
        if (found == values.end()) {
            return std::nullopt;
        }
        return found->second;
    };
    if (auto value = in(sources.flags, setting.name())) {
        return Found{*value, "flag"};
    }
    for (auto const& name : {setting.environment_name(), std::string(setting.plain_name)}) {
        if (name.empty()) {
            continue;
        }
        if (auto value = in(sources.environment, name)) {
            return Found{*value, "environment " + name};
        }
    }
    for (auto const& name : {setting.environment_name(), std::string(setting.plain_name)}) {
        if (name.empty()) {
            continue;
        }
        if (auto value = in(sources.dotenv, name)) {
            return Found{*value, ".env " + name};
        }
    }
    if (auto value = in(file, setting.name())) {
        return Found{*value, sources.file_name};
    }
    return std::nullopt;
}

std::string read_text(std::filesystem::path const& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void wipe_from_environment(char const* name) {
    if (char* const value = getenv(name)) {
        explicit_bzero(value, std::char_traits<char>::length(value));
    }
    unsetenv(name);
}

}  // namespace

std::expected<LoadedConfig, std::vector<std::string>> load_config(ConfigSources const& sources) {
    std::vector<std::string> errors;
    LoadedConfig loaded;
    auto const file = read_file(sources, errors);
    refuse_unknown(sources.environment, "environment", errors);
    refuse_unknown(sources.dotenv, ".env", errors);
    for (auto const& setting : all_settings()) {
        auto const found = look_up(setting, sources, file);
        loaded.source[setting.name()] = found ? found->source : "default";
        if (!found) {
            continue;
        }
        if (auto const set = setting.set(loaded.config, found->value); !set) {
            errors.push_back(setting.name() + " (" + found->source + ") " + set.error().message());
        }
    }
    if (loaded.config.data.dir.empty()) {
        loaded.config.data.dir = sources.state_folder + "/brickgate";
    }
    if (errors.empty()) {
        validate_config(loaded, errors);
    }
    if (!errors.empty()) {
        return std::unexpected(std::move(errors));
    }
    return loaded;
}

Result<ConfigSources> read_sources(ConfigValues flags, std::string const& config_file,
                                   std::vector<std::string>& warnings) {
    ConfigSources sources;
    sources.flags = std::move(flags);
    for (char** entry = environ; *entry; ++entry) {
        std::string_view const text = *entry;
        auto const equals = text.find('=');
        if (equals == std::string_view::npos) {
            continue;
        }
        sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    for (auto const* const name :
         {"CLIENT_SECRET", "BRICKGATE_DATABRICKS_CLIENT_SECRET", "BRICKGATE_DATA_ROOT_KEY"}) {
        wipe_from_environment(name);
    }
    if (std::filesystem::exists(".env")) {
        sources.dotenv = parse_dotenv(read_text(".env"));
        struct stat about{};
        if (stat(".env", &about) == 0 && (about.st_mode & 0077) != 0 &&
            sources.dotenv.contains("CLIENT_SECRET")) {
            warnings.emplace_back(".env holds a secret and can be read by others: chmod 600 .env");
        }
    }
    std::string const file = config_file.empty() ? "brickgate.toml" : config_file;
    if (std::filesystem::exists(file)) {
        sources.file_name = file;
        sources.file_text = read_text(file);
    } else if (!config_file.empty()) {
        return fail(ErrorCode::config_invalid,
                    "There is no configuration file " + config_file + ".");
    }
    auto const value = [&](char const* name) {
        auto const found = sources.environment.find(name);
        return found == sources.environment.end() ? std::string() : found->second;
    };
    std::string const state = value("XDG_STATE_HOME");
    std::string const home = value("HOME");
    sources.state_folder = !state.empty()  ? state
                           : !home.empty() ? home + "/.local/state"
                                           : "/var/lib";
    return sources;
}

}  // namespace brickgate
