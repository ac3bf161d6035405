// SPDX-License-Identifier: Apache-2.0
#pragma once
// What kinds of settings there are: each reads a text into its member and shows it. Private to
// settings_table.cpp. Errors: config_invalid.
#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings_table.h"

namespace brickgate::setting_kinds {

inline std::unexpected<Error> bad(std::string why) {
    return fail(ErrorCode::config_invalid, std::move(why));
}

inline std::string_view trimmed_view(std::string_view text) {
    auto const first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

inline std::string trimmed(std::string_view text) {
    return std::string(trimmed_view(text));
}

// Line breaks, where there are any, are the only separators: an array of the file comes so, and its
// entries may hold commas.
inline std::vector<std::string> words_of(std::string_view text, std::string_view separators) {
    std::vector<std::string> out;
    if (text.find('\n') != std::string_view::npos) {
        separators = "\n";
    }
    while (!text.empty()) {
        auto const end = std::min(text.find_first_of(separators), text.size());
        auto word = trimmed(text.substr(0, end));
        if (!word.empty()) {
            out.push_back(std::move(word));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

inline std::string joined(std::vector<std::string> const& words, std::string_view joint) {
    std::string out;
    for (auto const& word : words) {
        if (!out.empty()) {
            out += joint;
        }
        out += word;
    }
    return out;
}

inline Result<std::int64_t> number(std::string const& text, std::int64_t least, std::int64_t most) {
    std::int64_t value = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || value < least ||
        value > most) {
        return bad("must be a whole number from " + std::to_string(least) + " to " +
                   std::to_string(most));
    }
    return value;
}

// What text(), flag() and their kin have in common.
inline Setting plain(std::string_view section, std::string_view key, std::string_view about) {
    Setting setting;
    setting.section = section;
    setting.key = key;
    setting.about = about;
    return setting;
}

template <auto Section, auto Member>
Setting text(std::string_view section, std::string_view key, std::string_view plain_name,
             std::string_view about) {
    Setting setting = plain(section, key, about);
    setting.plain_name = plain_name;
    setting.set = [](Config& config, std::string const& value) -> Result<void> {
        (config.*Section).*Member = trimmed(value);
        return {};
    };
    setting.show = [](Config const& config) { return (config.*Section).*Member; };
    return setting;
}

template <auto Section, auto Member>
Setting secret(std::string_view section, std::string_view key, std::string_view plain_name,
               std::string_view about) {
    Setting setting = plain(section, key, about);
    setting.plain_name = plain_name;
    setting.secret = true;
    setting.set = [](Config& config, std::string const& value) -> Result<void> {
        (config.*Section).*Member = Secret::copy_of(trimmed_view(value));
        return {};
    };
    setting.show = [](Config const& config) {
        return std::string(((config.*Section).*Member).empty() ? "" : "(set, not shown)");
    };
    return setting;
}

template <auto Section, auto Member>
Setting list(std::string_view section, std::string_view key, std::string_view about,
             std::string_view separators = ",") {
    Setting setting = plain(section, key, about);
    setting.list = true;
    setting.set = [separators](Config& config, std::string const& value) -> Result<void> {
        (config.*Section).*Member = words_of(value, separators);
        return {};
    };
    setting.show = [](Config const& config) { return joined((config.*Section).*Member, ", "); };
    return setting;
}

template <auto Section, auto Member>
Setting flag(std::string_view section, std::string_view key, std::string_view about) {
    Setting setting = plain(section, key, about);
    setting.set = [](Config& config, std::string const& value) -> Result<void> {
        if (value != "true" && value != "false") {
            return bad("must be true or false");
        }
        (config.*Section).*Member = value == "true";
        return {};
    };
    setting.show = [](Config const& config) {
        return std::string((config.*Section).*Member ? "true" : "false");
    };
    return setting;
}

template <auto Section, auto Member>
Setting count(std::string_view section, std::string_view key, std::string_view about,
              std::int64_t least, std::int64_t most) {
    Setting setting = plain(section, key, about);
    setting.set = [least, most](Config& config, std::string const& value) -> Result<void> {
        auto const read = number(trimmed(value), least, most);
        if (!read) {
            return std::unexpected(read.error());
        }
        (config.*Section).*Member = static_cast<unsigned>(*read);
        return {};
    };
    setting.show = [](Config const& config) { return std::to_string((config.*Section).*Member); };
    return setting;
}

template <auto Section, auto Member>
Setting seconds(std::string_view section, std::string_view key, std::string_view about,
                std::int64_t least, std::int64_t most) {
    Setting setting = plain(section, key, about);
    setting.set = [least, most](Config& config, std::string const& value) -> Result<void> {
        auto const read = number(trimmed(value), least, most);
        if (!read) {
            return std::unexpected(read.error());
        }
        (config.*Section).*Member = std::chrono::seconds(*read);
        return {};
    };
    setting.show = [](Config const& config) {
        return std::to_string(((config.*Section).*Member).count());
    };
    return setting;
}

inline Setting choice(Setting setting, std::vector<std::string> allowed) {
    auto const set = setting.set;
    setting.set = [set, allowed](Config& config, std::string const& value) -> Result<void> {
        if (std::ranges::find(allowed, trimmed(value)) == allowed.end()) {
            return bad("must be one of: " + joined(allowed, ", "));
        }
        return set(config, value);
    };
    return setting;
}

}  // namespace brickgate::setting_kinds
