// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tables that are data: JSON files below tests/vectors. What is no UTF-8 stands in them as hex, and
// {"repeat": "a", "times": 9} is a long text.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate::testing {

inline json::value read_data_file(std::string const& name) {
    std::ifstream in(std::string(VECTORS) + "/" + name);
    std::string const text{std::istreambuf_iterator<char>(in), {}};
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed) << name;
    return parsed ? *parsed : json::value();
}

// A text, an object {"hex": ...} or {"repeat": ..., "times": ...}, or an array of these, joined.
inline std::string text_of(json::value const& value) {
    if (value.is_string()) {
        return std::string(std::string_view(value.get_string()));
    }
    std::string out;
    if (value.is_array()) {
        for (auto const& part : value.get_array()) {
            out += text_of(part);
        }
        return out;
    }
    auto const& object = value.as_object();
    if (auto const hex = string_at(object, "hex")) {
        return hex_decode(*hex).value();
    }
    for (auto left = integer_at(object, "times").value(); left > 0; --left) {
        out += text_of(object.at("repeat"));
    }
    return out;
}

inline std::string text_at(json::object const& object, std::string_view key) {
    auto const* const value = object.if_contains(key);
    return value ? text_of(*value) : std::string();
}

// A table file holds an array of rows; an empty one would prove nothing.
inline json::array read_table(std::string const& name, std::size_t rows_min) {
    auto const value = read_data_file(name);
    auto const* const object = value.if_object();
    auto const* const rows = object ? array_at(*object, "rows") : nullptr;
    EXPECT_TRUE(rows && rows->size() >= rows_min) << name;
    return rows ? *rows : json::array();
}

}  // namespace brickgate::testing
