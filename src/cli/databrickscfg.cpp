// SPDX-License-Identifier: Apache-2.0
#include "cli/databrickscfg.h"

#include <algorithm>
#include <unordered_map>

#include "databricks/workspace.h"

namespace brickgate::cli {

namespace {

constexpr std::string_view settings_section = "__settings__";
constexpr std::string_view default_section = "DEFAULT";

std::string_view trimmed(std::string_view text) {
    auto const first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view without_quotes(std::string_view value) {
    bool const quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
                        value.front() == value.back();
    return quoted ? value.substr(1, value.size() - 2) : value;
}

bool same_host(std::string_view one, std::string_view other) {
    auto const a = TypedHost::parse(one);
    auto const b = TypedHost::parse(other);
    return a && b && a->origin() == b->origin();
}

// What can be no profile's name by mistake: a dot, a port, a scheme.
bool looks_like_host(std::string_view text) {
    return text.find_first_of(".:/") != std::string_view::npos;
}

std::string no_such_profile(std::string_view name, DatabricksCfg const& cfg) {
    return "There is no profile [" + std::string(name) + "] in " + cfg.path + ".";
}

using Found = std::expected<CfgProfile const*, std::string>;

Found profile_of(ShimQuestion const& question, ShimSurroundings const& around,
                 DatabricksCfg const& cfg) {
    auto const must_exist = [&](std::string_view name) -> Found {
        auto const* const found = cfg.find(name);
        if (!found) {
            return std::unexpected(no_such_profile(name, cfg));
        }
        return found;
    };
    if (!question.profile.empty()) {
        return must_exist(question.profile);
    }
    if (!around.profile.empty()) {
        // Tools say which host they mean and leave the variable of their caller in place.
        return question.host.empty() ? must_exist(around.profile) : cfg.find(around.profile);
    }
    if (!question.host.empty() || !around.host.empty()) {
        return nullptr;
    }
    auto const* const chosen = cfg.find(cfg.default_profile);
    return chosen ? chosen : cfg.find(default_section);
}

// A host that was typed bare: a profile may say which of its connections is meant.
std::expected<std::string, std::string> connection_of_host(std::string_view host,
                                                           DatabricksCfg const& cfg) {
    std::string found;
    for (auto const& profile : cfg.profiles) {
        if (profile.connection.empty() || !same_host(profile.host, host)) {
            continue;
        }
        if (!found.empty() && found != profile.connection) {
            return std::unexpected("Several profiles of " + cfg.path + " name connections of " +
                                   std::string(host) + ": say which with --profile.");
        }
        found = profile.connection;
    }
    return found;
}

}  // namespace

DatabricksCfg DatabricksCfg::parse(std::string_view text) {
    DatabricksCfg out;
    std::string section(default_section);
    std::unordered_map<std::string, std::size_t> places;
    auto const profile = [&]() -> CfgProfile& {
        auto const [found, is_new] = places.try_emplace(section, out.profiles.size());
        if (is_new) {
            out.profiles.push_back({.name = section});
        }
        return out.profiles[found->second];
    };
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto const line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#' || line.front() == ';') {
            continue;
        }
        if (line.front() == '[' && line.back() == ']') {
            section = trimmed(line.substr(1, line.size() - 2));
            if (section != settings_section) {
                profile();
            }
            continue;
        }
        auto const sign = line.find_first_of("=:");
        if (sign == std::string_view::npos) {
            continue;
        }
        auto const key = trimmed(line.substr(0, sign));
        std::string value(without_quotes(trimmed(line.substr(sign + 1))));
        if (section == settings_section) {
            out.default_profile = key == "default_profile" ? std::move(value) : out.default_profile;
        } else if (key == "host") {
            profile().host = std::move(value);
        } else if (key == "brickgate_connection") {
            profile().connection = std::move(value);
        }
    }
    return out;
}

CfgProfile const* DatabricksCfg::find(std::string_view name) const {
    auto const found = std::ranges::find(profiles, name, &CfgProfile::name);
    return found == profiles.end() ? nullptr : &*found;
}

std::expected<ShimTarget, std::string> shim_target(ShimQuestion const& typed,
                                                   ShimSurroundings const& around,
                                                   DatabricksCfg const& cfg) {
    ShimQuestion question = typed;
    if (!question.argument.empty()) {
        if (!question.host.empty() || !question.profile.empty()) {
            return std::unexpected("Give one of a profile, --profile and --host.");
        }
        bool const host = !cfg.find(question.argument) && looks_like_host(question.argument);
        (host ? question.host : question.profile) = question.argument;
    }
    auto const profile = profile_of(question, around, cfg);
    if (!profile) {
        return std::unexpected(profile.error());
    }
    CfgProfile const* chosen = *profile;
    bool const both = chosen && !question.host.empty();
    if (both && !same_host(chosen->host, question.host)) {
        if (!question.profile.empty()) {
            return std::unexpected("The profile [" + chosen->name + "] is of " + chosen->host +
                                   ", not of " + question.host + ".");
        }
        chosen = nullptr;
    }
    ShimTarget target;
    if (chosen) {
        if (chosen->host.empty() && (!question.profile.empty() || !around.profile.empty())) {
            return std::unexpected("The profile [" + chosen->name + "] in " + cfg.path +
                                   " has no host.");
        }
        target = {.host = chosen->host, .connection = chosen->connection, .profile = chosen->name};
    } else {
        target.host = question.host.empty() ? around.host : question.host;
    }
    if (!around.connection.empty()) {
        target.connection = around.connection;
    } else if (target.connection.empty() && !target.host.empty()) {
        auto const of_host = connection_of_host(target.host, cfg);
        if (!of_host) {
            return std::unexpected(of_host.error());
        }
        target.connection = *of_host;
    }
    return target;
}

}  // namespace brickgate::cli
