// SPDX-License-Identifier: Apache-2.0
#include "app/load_config.h"

#include <toml++/toml.h>
#include <algorithm>

#include "app/settings_table.h"
#include "app/validate_config.h"
#include "base/encoding.h"

namespace brickgate {

namespace {

std::optional<std::string> scalar_text(toml::node const& node) {
    if (auto const* text = node.as_string()) {
        return text->get();
    }
    if (auto const* number = node.as_integer()) {
        return std::to_string(number->get());
    }
    if (auto const* flag = node.as_boolean()) {
        return flag->get() ? "true" : "false";
    }
    return std::nullopt;
}

// Entries of an array, each on its line.
std::optional<std::string> lines_of(toml::array const& list) {
    std::string out;
    for (auto const& entry : list) {
        auto const text = scalar_text(entry);
        if (!text) {
            return std::nullopt;
        }
        out += *text + "\n";
    }
    return out;
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

Setting const* find_setting(std::string_view name) {
    auto const all = all_settings();
    auto const found =
        std::ranges::find_if(all, [&](auto const& setting) { return setting.name() == name; });
    return found == all.end() ? nullptr : &*found;
}

// "there is no such setting", with the one that was probably meant.
std::string unknown(std::string_view where, std::string const& name,
                    std::string (*name_of)(Setting const&)) {
    auto const nearest = std::ranges::min_element(
        all_settings(), {}, [&](auto const& setting) { return distance(name_of(setting), name); });
    return std::string(where) + ": there is no setting " + clean_text(name, 80) +
           "; did you mean " + name_of(*nearest) + "?";
}

class FileReader {
 public:
    FileReader(ConfigSources const& sources, std::vector<std::string>& errors)
        : sources_(sources), errors_(errors) {}

    // nullopt: the file is no TOML, so that nothing is known of what it says.
    std::optional<ConfigValues> read() {
        if (sources_.file_name.empty()) {
            return ConfigValues{};
        }
        try {
            for (auto const& [section, node] : toml::parse(sources_.file_text)) {
                auto const* const inner = node.as_table();
                if (!inner) {
                    complain("'" + std::string(section.str()) +
                             "' must stand in a section, such as [server]");
                    continue;
                }
                for (auto const& [key, value] : *inner) {
                    take(std::string(section.str()) + "." + std::string(key.str()), value);
                }
            }
        } catch (toml::parse_error const& error) {
            errors_.push_back(sources_.file_name + ", line " +
                              std::to_string(error.source().begin.line) + ": " +
                              std::string(error.description()));
            return std::nullopt;
        }
        return std::move(values_);
    }

 private:
    void complain(std::string const& what) { errors_.push_back(sources_.file_name + ": " + what); }

    void take(std::string const& name, toml::node const& value) {
        auto const* const setting = find_setting(name);
        if (!setting) {
            errors_.push_back(unknown(sources_.file_name, name,
                                      [](Setting const& known) { return known.name(); }));
            return;
        }
        auto const* const list = value.as_array();
        auto text = setting->list && list ? lines_of(*list) : scalar_text(value);
        if (!text) {
            complain(name + (setting->list ? " must be a list of texts, or one text"
                                           : " must be one text, number, true or false"));
            return;
        }
        values_[name] = std::move(*text);
    }

    ConfigSources const& sources_;
    std::vector<std::string>& errors_;
    ConfigValues values_;
};

// Kubernetes tells every program of a service called brickgate where it is, in names that look
// like settings.
bool made_by_kubernetes(std::string_view name) {
    return name.starts_with("BRICKGATE_SERVICE_") || name == "BRICKGATE_PORT" ||
           name.starts_with("BRICKGATE_PORT_");
}

// Read by `databricks auth token` in our place, and no setting: which connection is meant.
constexpr std::string_view of_the_shim = "BRICKGATE_CONNECTION";

void refuse_unknown(ConfigValues const& environment, std::string_view where,
                    std::vector<std::string>& errors) {
    for (auto const& [name, value] : environment) {
        if (!name.starts_with("BRICKGATE_") || made_by_kubernetes(name) || name == of_the_shim) {
            continue;
        }
        bool const known = std::ranges::any_of(all_settings(), [&](auto const& setting) {
            return setting.environment_name() == name;
        });
        if (!known) {
            errors.push_back(unknown(
                where, name, [](Setting const& setting) { return setting.environment_name(); }));
        }
    }
}

struct Found {
    std::string value;
    std::string source;
};

std::optional<Found> look_up(Setting const& setting, ConfigSources const& sources,
                             ConfigValues const& file) {
    auto const in = [](ConfigValues const& values, std::string_view name) -> std::string const* {
        auto const found = values.find(std::string(name));
        return found == values.end() ? nullptr : &found->second;
    };
    if (auto const* value = in(sources.flags, setting.name())) {
        return Found{*value, "flag"};
    }
    std::string const own = setting.environment_name();
    for (auto const& [values, where] :
         {std::pair{&sources.environment, "environment "}, std::pair{&sources.dotenv, ".env "}}) {
        for (std::string_view const name : {std::string_view(own), setting.plain_name}) {
            auto const* const value = in(*values, name);
            if (value && !value->empty()) {
                return Found{*value, where + std::string(name)};
            }
        }
    }
    if (auto const* value = in(file, setting.name())) {
        return Found{*value, sources.file_name};
    }
    return std::nullopt;
}

void keep_secrets(LoadedConfig& loaded, LoadedConfig const& before) {
    auto const keep = [](Secret& now, Secret const& then) {
        if (now.empty()) {
            now = then.clone();
        }
    };
    keep(loaded.config.databricks.client_secret, before.config.databricks.client_secret);
    keep(loaded.config.data.root_key, before.config.data.root_key);
}

}  // namespace

ConfigSources::~ConfigSources() {
    for (auto* const values : {&flags, &environment, &dotenv}) {
        for (auto& [name, value] : *values) {
            wipe(value);
        }
    }
    wipe(file_text);
}

std::expected<LoadedConfig, std::vector<std::string>> load_config(ConfigSources const& sources,
                                                                  LoadedConfig const* before) {
    std::vector<std::string> errors;
    LoadedConfig loaded;
    auto const file = FileReader(sources, errors).read();
    refuse_unknown(sources.environment, "environment", errors);
    refuse_unknown(sources.dotenv, ".env", errors);
    for (auto const& setting : all_settings()) {
        auto found = look_up(setting, sources, file.value_or(ConfigValues{}));
        loaded.source[setting.name()] = found ? found->source : "default";
        if (!found) {
            continue;
        }
        if (auto const set = setting.set(loaded.config, found->value); !set) {
            errors.push_back(setting.name() + " (" + found->source + "): " + set.error().message());
        }
        if (setting.secret) {
            wipe(found->value);
        }
        if (setting.secret && found->source == sources.file_name && sources.file_is_wide) {
            loaded.warnings.push_back(sources.file_name +
                                      " holds a secret and can be read by others: chmod 600 " +
                                      sources.file_name);
        }
    }
    if (loaded.config.data.dir.empty()) {
        loaded.config.data.dir = sources.default_data_dir;
    }
    if (before) {
        keep_secrets(loaded, *before);
    }
    if (file) {
        validate_config(loaded, errors);
    }
    if (!errors.empty()) {
        return std::unexpected(std::move(errors));
    }
    return loaded;
}

}  // namespace brickgate
