// SPDX-License-Identifier: Apache-2.0
#pragma once
// Typed reads over Boost.JSON. parse_json refuses what RFC 8259 leaves open and an attacker likes:
// two equal keys in one object, deep nesting, many nodes, long strings, invalid UTF-8, trailing
// text.
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace brickgate {

namespace json = boost::json;

struct JsonLimits {
    std::size_t depth_max = 32;      // T34
    std::size_t nodes_max = 20'000;  // some hundred scopes and 32 keys fit many times over
    std::size_t string_bytes_max = 64 * 1024;
};

enum class JsonFault : std::uint8_t {
    syntax,
    duplicate_key,
    too_deep,
    too_many_nodes,
    string_too_long
};
std::expected<json::value, JsonFault> parse_json(std::string_view text,
                                                 JsonLimits const& limits = {});

std::optional<std::string_view> string_at(json::object const& object, std::string_view key);
std::optional<std::int64_t> integer_at(json::object const& object, std::string_view key);
std::optional<bool> bool_at(json::object const& object, std::string_view key);
json::object const* object_at(json::object const& object, std::string_view key);
json::array const* array_at(json::object const& object, std::string_view key);

}  // namespace brickgate
