// SPDX-License-Identifier: Apache-2.0
#pragma once
// What our own bearers look like, API keys and capabilities: a prefix that scanners can find, 16
// hex digits that name the row, "_", 43 characters of base64url: 256 random bits. Pure.
#include <algorithm>
#include <string_view>

namespace brickgate::bearer_shape {

inline constexpr std::size_t id_characters = 16;
inline constexpr std::size_t secret_characters = 43;

constexpr std::size_t characters(std::string_view prefix) {
    return prefix.size() + id_characters + 1 + secret_characters;
}

constexpr std::string_view id_of(std::string_view bearer, std::string_view prefix) {
    return bearer.substr(prefix.size(), id_characters);
}
constexpr std::string_view secret_of(std::string_view bearer, std::string_view prefix) {
    return bearer.substr(prefix.size() + id_characters + 1);
}

constexpr bool fits(std::string_view text, std::string_view prefix) {
    auto const is_lower_hex = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    };
    auto const is_base64url = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_';
    };
    return text.size() == characters(prefix) && text.starts_with(prefix) &&
           text[prefix.size() + id_characters] == '_' &&
           std::ranges::all_of(id_of(text, prefix), is_lower_hex) &&
           std::ranges::all_of(secret_of(text, prefix), is_base64url);
}

}  // namespace brickgate::bearer_shape
