// SPDX-License-Identifier: Apache-2.0
#include "databricks/workspace.h"

#include <algorithm>
#include <array>

namespace brickgate {

namespace {

constexpr std::size_t host_bytes_max = 253;
constexpr std::size_t typed_bytes_max = 2048;

std::unexpected<Error> denied(std::string message) {
    return fail(ErrorCode::host_denied, std::move(message));
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_label_char(char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-';
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, is_label_char) &&
           label.front() != '-' && label.back() != '-';
}

bool is_digits(std::string_view text, std::size_t most) {
    return !text.empty() && text.size() <= most && std::ranges::all_of(text, is_digit);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return out;
}

std::string_view trim(std::string_view text) {
    auto const first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_dns_name(std::string_view host) {
    if (host.empty() || host.size() > host_bytes_max) {
        return false;
    }
    while (true) {
        auto const dot = host.find('.');
        if (!is_label(host.substr(0, dot))) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return true;
        }
        host.remove_prefix(dot + 1);
    }
}

bool looks_like_ipv4(std::string_view host) {
    return std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
}

// What stands before `suffix`, if the host ends with it.
std::optional<std::string_view> before(std::string_view host, std::string_view suffix) {
    if (host.size() <= suffix.size() || !host.ends_with(suffix)) {
        return std::nullopt;
    }
    return host.substr(0, host.size() - suffix.size());
}

// adb-123.4 or 123.4: the names that Azure and Google workspaces have.
bool is_numbered(std::string_view text, std::string_view prefix) {
    if (!text.starts_with(prefix)) {
        return false;
    }
    text.remove_prefix(prefix.size());
    auto const dot = text.find('.');
    return dot != std::string_view::npos && is_digits(text.substr(0, dot), 20) &&
           is_digits(text.substr(dot + 1), 3);
}

constexpr std::array<std::string_view, 8> account_hosts{
    "accounts.cloud.databricks.com",     "accounts.cloud.databricks.us",
    "accounts-dod.cloud.databricks.mil", "accounts.azuredatabricks.net",
    "accounts.azuredatabricks.us",       "accounts.azuredatabricks.cn",
    "accounts.databricks.azure.cn",      "accounts.gcp.databricks.com"};
constexpr std::array<std::string_view, 3> aws_suffixes{
    ".cloud.databricks.com", ".cloud.databricks.us", ".cloud.databricks.mil"};
constexpr std::array<std::string_view, 3> azure_suffixes{
    ".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn"};
// Labels below databricks.com that are Databricks' own sites and no customer's.
constexpr std::array<std::string_view, 16> reserved_labels{
    "www",   "docs", "login", "community", "cloud",    "accounts", "gcp",     "aws",
    "azure", "apps", "kb",    "help",      "partners", "status",   "academy", "api"};

std::string_view host_part(std::string_view rest) {
    return rest.substr(0, rest.find_first_of("/?#"));
}

std::string query_value(std::string_view url, std::string_view name) {
    url = url.substr(0, url.find('#'));
    auto const start = url.find('?');
    if (start == std::string_view::npos) {
        return {};
    }
    auto query = url.substr(start + 1);
    while (!query.empty()) {
        auto const end = std::min(query.find('&'), query.size());
        auto const field = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        auto const equals = field.find('=');
        if (equals != std::string_view::npos && field.substr(0, equals) == name) {
            auto const value = field.substr(equals + 1);
            if (is_digits(value, 20)) {
                return std::string(value);
            }
        }
    }
    return {};
}

Result<void> split_host_and_port(std::string_view authority, TypedHost& out) {
    std::string_view host = authority;
    if (auto const colon = authority.rfind(':');
        colon != std::string_view::npos && !authority.ends_with(']')) {
        host = authority.substr(0, colon);
        auto const port = authority.substr(colon + 1);
        if (!is_digits(port, 5) || std::stoi(std::string(port)) > 65535) {
            return denied("The port is not a number.");
        }
        bool const own =
            (out.scheme == "https" && port == "443") || (out.scheme == "http" && port == "80");
        if (!own) {
            out.port = port;
        }
    }
    out.host = lower(host);
    if (out.host == "[::1]") {
        return {};
    }
    if (!is_dns_name(out.host)) {
        return denied(
            "That is not the name of a host. Copy the address from the workspace's address bar.");
    }
    return {};
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace

Result<TypedHost> TypedHost::parse(std::string_view typed) {
    auto text = trim(typed);
    if (text.empty()) {
        return fail(ErrorCode::host_required, "No workspace was named.");
    }
    if (text.size() > typed_bytes_max) {
        return denied("That is too long for the address of a workspace.");
    }
    if (text.find('<') != std::string_view::npos ||
        lower(text).find("your-databricks-instance") != std::string::npos) {
        return denied(
            "The placeholder <your-databricks-instance> was left in place: put the workspace's own "
            "host there.");
    }
    TypedHost out;
    out.scheme = "https";
    std::string const lowered = lower(text.substr(0, 8));
    if (lowered.starts_with("https://")) {
        text.remove_prefix(8);
    } else if (lowered.starts_with("http://")) {
        text.remove_prefix(7);
        out.scheme = "http";
    } else if (text.find("://") < text.find_first_of("/?#")) {
        return denied("The address of a workspace begins with https://.");
    }
    auto const authority = host_part(text);
    bool const legal =
        std::ranges::all_of(authority, [](char c) { return c > 0x20 && c < 0x7F; }) &&
        authority.find_first_of("@\\%") == std::string_view::npos;
    if (!legal) {
        return denied("That host has characters that no host has.");
    }
    if (auto const split = split_host_and_port(authority, out); !split) {
        return fail(split.error());
    }
    for (auto const name : {"o", "w", "workspace_id"}) {
        if (out.workspace_id.empty()) {
            out.workspace_id = query_value(text, name);
        }
    }
    return out;
}

std::string TypedHost::origin() const {
    return scheme + "://" + host + (port.empty() ? "" : ":" + port);
}

std::optional<HostKind> databricks_host_kind(std::string_view host) {
    if (std::ranges::find(account_hosts, host) != account_hosts.end()) {
        return HostKind::account;
    }
    for (auto const suffix : aws_suffixes) {
        if (auto const label = before(host, suffix); label && is_label(*label)) {
            return HostKind::aws;
        }
    }
    for (auto const suffix : azure_suffixes) {
        if (auto const name = before(host, suffix); name && is_numbered(*name, "adb-")) {
            return HostKind::azure;
        }
    }
    if (auto const name = before(host, ".gcp.databricks.com"); name && is_numbered(*name, "")) {
        return HostKind::gcp;
    }
    if (auto const label = before(host, ".databricks.com"); label && is_label(*label)) {
        bool const reserved = std::ranges::find(reserved_labels, *label) != reserved_labels.end();
        if (!reserved) {
            return HostKind::unified;
        }
    }
    return std::nullopt;
}

bool is_databricks_suffix(std::string_view host) {
    if (!is_dns_name(host)) {
        return false;  // evil.test%2f.databricks.com ends well, too
    }
    static constexpr std::array<std::string_view, 5> suffixes{
        ".databricks.com", ".cloud.databricks.us", ".azuredatabricks.net", ".databricks.azure.us",
        ".databricks.azure.cn"};
    bool const below = std::ranges::any_of(
        suffixes, [&](auto suffix) { return before(host, suffix).has_value(); });
    return below || before(host, ".cloud.databricks.mil").has_value();
}

Result<void> HostAllowList::add(std::string_view entry) {
    auto const invalid = [&](std::string_view why) {
        return fail(
            ErrorCode::config_invalid,
            std::string(entry) + " cannot be listed as a workspace host: " + std::string(why));
    };
    auto const text = trim(entry);
    if (text.starts_with('.')) {
        auto const name = lower(text.substr(1));
        if (!is_dns_name(name) || name.find('.') == std::string::npos) {
            return invalid("the suffix is not a domain name.");
        }
        if (name.ends_with("databricksapps.com")) {
            return invalid("apps are their users' content.");
        }
        suffixes_.push_back("." + name);
        return {};
    }
    auto const typed = TypedHost::parse(text);
    if (!typed) {
        return invalid(typed.error().message());
    }
    if (typed->host.ends_with("databricksapps.com")) {
        return invalid("apps are their users' content.");
    }
    if (typed->scheme == "http" && !is_loopback(typed->host)) {
        return invalid("http:// is for loopback addresses only.");
    }
    exact_.push_back(typed->origin());
    return {};
}

Result<WorkspaceHost> HostAllowList::admit(std::string_view input) const {
    auto const typed = TypedHost::parse(input);
    if (!typed) {
        return fail(typed.error());
    }
    std::string const origin = typed->origin();
    bool const exact = std::ranges::find(exact_, origin) != exact_.end();
    bool const by_suffix =
        typed->scheme == "https" && typed->port.empty() && !looks_like_ipv4(typed->host) &&
        std::ranges::any_of(
            suffixes_, [&](auto const& suffix) { return before(typed->host, suffix).has_value(); });
    bool const plain = typed->scheme == "https" && typed->port.empty();
    auto const databricks = plain ? databricks_host_kind(typed->host) : std::nullopt;
    if (!exact && !by_suffix && !(any_databricks_ && databricks)) {
        return denied(typed->host + " is not among the workspaces that this gateway serves.");
    }
    WorkspaceHost host;
    host.host_ = typed->host;
    host.origin_ = origin;
    host.workspace_id_ = typed->workspace_id;
    host.kind_ = databricks.value_or(HostKind::operator_listed);
    return host;
}

}  // namespace brickgate
