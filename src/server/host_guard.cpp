// SPDX-License-Identifier: Apache-2.0
#include "server/host_guard.h"

#include <algorithm>

#include "net/address_guard.h"

namespace brickgate {

namespace {

constexpr std::size_t name_bytes_max = 253;

bool is_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view text) {
    bool const plain = std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
    return plain && !text.empty() && text.size() <= name_bytes_max;
}

bool is_bracketed_address(std::string_view text) {
    if (text.size() < 4 || !text.starts_with('[') || !text.ends_with(']')) {
        return false;
    }
    auto const address = IpAddress::parse(text.substr(1, text.size() - 2));
    return address && !address->is_v4();
}

}  // namespace

HostAndPort HostAndPort::parse(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    auto const colon = lower.rfind(':');
    bool const has_port = colon != std::string::npos && !lower.ends_with(']');
    std::string const port = has_port ? lower.substr(colon + 1) : "";
    std::string const name = has_port ? lower.substr(0, colon) : lower;
    bool const good = (is_name(name) || is_bracketed_address(name)) && is_digits(port);
    return good && port.size() <= 5 ? HostAndPort{name, port} : HostAndPort();
}

bool is_loopback_name(std::string_view name) {
    return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

bool is_ours(ServerRequest const& request, HostNames const& ours) {
    if (request.listener == ListenerKind::local_socket) {
        return true;
    }
    std::string_view host;
    int hosts = 0;
    for (auto const& field : request.headers) {  // without a list of them: this is the hot path
        if (field.name.size() == 4 && equals_ignoring_case(field.name, "Host")) {
            host = field.value;
            hosts += 1;
        }
    }
    if (hosts != 1) {
        return false;
    }
    auto const asked = HostAndPort::parse(host);
    if (asked.name.empty()) {
        return false;
    }
    bool const known = std::ranges::find(ours.names, asked.name) != ours.names.end();
    return known || (ours.any_address &&
                     (asked.name.starts_with('[') || IpAddress::parse(asked.name).has_value()));
}

}  // namespace brickgate
