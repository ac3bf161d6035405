// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads the data files that the tests in C++ and the decoder in JavaScript share.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate::testing {

inline json::value read_vectors(std::string const& name) {
    std::ifstream in(std::string(VECTORS) + "/" + name);
    std::string const text{std::istreambuf_iterator<char>(in), {}};
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed) << name;
    return parsed ? *parsed : json::value();
}

inline std::string text_at(json::object const& object, std::string_view key) {
    return std::string(string_at(object, key).value());
}
inline std::string bytes_at(json::object const& object, std::string_view key) {
    return hex_decode(string_at(object, key).value()).value();
}

inline unsigned char const* raw(std::string const& text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

}  // namespace brickgate::testing
