// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

namespace brickgate::testing {
namespace {

JsonFault fault_of(std::string_view text, JsonLimits const& limits = {}) {
    auto const parsed = parse_json(text, limits);
    EXPECT_FALSE(parsed) << text.substr(0, 60);
    return parsed ? JsonFault{} : parsed.error();
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string out;
    for (; times > 0; --times) {
        out += text;
    }
    return out;
}

TEST(Json, T34_the_second_of_two_equal_keys_is_not_silently_kept) {
    EXPECT_EQ(fault_of(R"({"a":1,"a":1})"), JsonFault::duplicate_key);
    EXPECT_EQ(fault_of(R"({"a":1,"b":2,"\u0061":3})"), JsonFault::duplicate_key);
    EXPECT_EQ(fault_of(R"([{"x":{"y":1,"z":2,"y":3}}])"), JsonFault::duplicate_key);
    EXPECT_EQ(fault_of(R"({"":1,"":2})"), JsonFault::duplicate_key);
    EXPECT_EQ(fault_of(R"({"a":{"a":1},"a":2})"), JsonFault::duplicate_key);
    // Equal keys in different objects, and keys that differ in case, are different keys.
    EXPECT_TRUE(parse_json(R"({"a":{"a":{"a":1}},"A":[{"a":1},{"a":2}]})"));
}

TEST(Json, T34_depth_nodes_and_lengths_have_limits) {
    EXPECT_TRUE(parse_json(repeated("[", 32) + repeated("]", 32)));
    EXPECT_EQ(fault_of(repeated("[", 33) + repeated("]", 33)), JsonFault::too_deep);
    EXPECT_EQ(fault_of(repeated("[", 1'000'000)), JsonFault::too_deep);
    EXPECT_EQ(fault_of(repeated(R"({"a":)", 1'000'000)), JsonFault::too_deep);
    EXPECT_EQ(fault_of(repeated(R"({"a":[)", 17)), JsonFault::too_deep);

    JsonLimits const small{.depth_max = 4, .nodes_max = 4, .string_bytes_max = 4};
    EXPECT_TRUE(parse_json("[1,2,3]", small));
    EXPECT_EQ(fault_of("[1,2,3,4]", small), JsonFault::too_many_nodes);
    EXPECT_EQ(fault_of(R"({"a":{"b":{}},"c":[]})", {.nodes_max = 3}), JsonFault::too_many_nodes);
    EXPECT_TRUE(parse_json(R"({"abcd":"abcd"})", small));
    EXPECT_EQ(fault_of(R"({"abcde":1})", small), JsonFault::string_too_long);
    EXPECT_EQ(fault_of(R"(["abcde"])", small), JsonFault::string_too_long);
    EXPECT_EQ(fault_of("[\"" + std::string(64 * 1024 + 1, 'a') + "\"]"),
              JsonFault::string_too_long);
}

TEST(Json, what_is_not_RFC_8259_is_refused) {
    for (auto const* const text : {"",
                                   " ",
                                   "{",
                                   "}",
                                   "[1,]",
                                   "{\"a\":1,}",
                                   "{a:1}",
                                   "{'a':1}",
                                   "nul",
                                   "tru",
                                   "NaN",
                                   "Infinity",
                                   "-",
                                   "+1",
                                   "01",
                                   "1.",
                                   ".5",
                                   "0x10",
                                   "1e",
                                   "[1]x",
                                   "[1][2]",
                                   "{}{}",
                                   "//x\n1",
                                   "/*x*/1",
                                   "\"a",
                                   "\"\t\"",
                                   "\"\n\"",
                                   "\"\\x41\"",
                                   "\"\\u12\"",
                                   "\"\\ud800\"",
                                   "\"\\udc00\"",
                                   "\"\\ud800\\u0041\"",
                                   "\"\xFF\"",
                                   "\"\xC0\xAF\"",
                                   "\"\xED\xA0\x80\"",
                                   "{\"\xFF\":1}",
                                   "\xEF\xBB\xBF{}",
                                   "{\"a\"}",
                                   "{\"a\":}",
                                   "[1 2]",
                                   "{,}"}) {
        EXPECT_EQ(fault_of(text), JsonFault::syntax) << text;
    }
    EXPECT_EQ(fault_of(std::string("{}\0", 3)), JsonFault::syntax);
}

TEST(Json, what_is_RFC_8259_is_built_as_it_stands) {
    auto const parsed = parse_json(
        " {\"a\":[1,-2,18446744073709551615,1.5,true,null,\"x\\/\\u00e4"
        "\\ud83d\\ude00\"],\"b\":{},\"c\":[]}\r\n");
    ASSERT_TRUE(parsed);
    json::value const expected{
        {"a", {1, -2, UINT64_MAX, 1.5, true, nullptr, "x/\xC3\xA4\xF0\x9F\x98\x80"}},
        {"b", json::object()},
        {"c", json::array()}};
    EXPECT_EQ(*parsed, expected);
    EXPECT_EQ(parse_json("7").value(), json::value(7));
    EXPECT_EQ(parse_json("\"\"").value(), json::value(""));
}

TEST(Json, long_strings_that_arrive_in_parts_are_whole) {
    std::string const text = repeated("ab\\n", 15'000);
    auto const parsed = parse_json("{\"" + text + "\":\"" + text + "\"}");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->at(repeated("ab\n", 15'000)).as_string().size(), 45'000U);
}

TEST(Json, reads_are_typed) {
    auto const parsed = parse_json(
        R"({"s":"x","i":5,"u":18446744073709551615,"d":5.0,"t":true,"o":{},"a":[],"n":null})");
    ASSERT_TRUE(parsed);
    auto const& object = parsed->get_object();
    EXPECT_EQ(string_at(object, "s"), "x");
    EXPECT_EQ(integer_at(object, "i"), 5);
    EXPECT_EQ(bool_at(object, "t"), true);
    EXPECT_NE(object_at(object, "o"), nullptr);
    EXPECT_NE(array_at(object, "a"), nullptr);
    for (auto const* const key : {"i", "u", "d", "t", "o", "a", "n", "absent"}) {
        EXPECT_EQ(string_at(object, key), std::nullopt) << key;
    }
    for (auto const* const key : {"s", "u", "d", "t", "o", "a", "n", "absent"}) {
        EXPECT_EQ(integer_at(object, key), std::nullopt) << key;
    }
    EXPECT_EQ(bool_at(object, "i"), std::nullopt);
    EXPECT_EQ(object_at(object, "a"), nullptr);
    EXPECT_EQ(array_at(object, "o"), nullptr);
}

}  // namespace
}  // namespace brickgate::testing
