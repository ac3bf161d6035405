// SPDX-License-Identifier: Apache-2.0
// T38, T40, T41, T42, T44: what passes in either direction, and what never does.
#include "proxy/header_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "support/data_file.h"

namespace brickgate::testing {
namespace {

using ::testing::StartsWith;

struct Field {
    std::string name;
    std::string value;
};
using Fields = std::vector<Field>;

std::vector<HeaderField> views(Fields const& fields) {
    std::vector<HeaderField> out;
    for (auto const& field : fields) {
        out.push_back({field.name, field.value});
    }
    return out;
}

// The lines, joined by " | ", or the error's name.
std::string lines_of(Result<void> const& result, std::string const& out) {
    if (!result) {
        EXPECT_EQ(out, "");
        return std::string(result.error().name());
    }
    std::string joined;
    for (std::size_t at = 0; at < out.size();) {
        auto const end = out.find("\r\n", at);
        if (end == std::string::npos) {
            return "a line that does not end: " + out;
        }
        joined += (joined.empty() ? "" : " | ") + out.substr(at, end - at);
        at = end + 2;
    }
    return joined;
}

std::string to_workspace(Fields const& fields, RequestHeaderRules const& rules = {},
                         std::string_view workspace_id = {}) {
    std::string out;
    return lines_of(append_request_headers(out, views(fields), rules, workspace_id), out);
}

std::string const harmless =
    "X-Content-Type-Options: nosniff | Content-Security-Policy: sandbox; default-src 'none' | "
    "Cross-Origin-Resource-Policy: same-origin | Cache-Control: no-store";

// Without what is always added, which has its own test.
std::string to_caller(Fields const& fields) {
    std::string out;
    std::string lines = lines_of(append_response_headers(out, views(fields)), out);
    auto const ours = lines.find(harmless);
    if (ours == std::string::npos) {
        return lines;
    }
    EXPECT_EQ(ours + harmless.size(), lines.size());
    return lines.substr(0, ours < 3 ? 0 : ours - 3);
}

Field field_of(json::value const& pair) {
    return {text_of(pair.as_array().at(0)), text_of(pair.as_array().at(1))};
}

Fields fields_of(json::object const& row) {
    Fields out;
    for (auto const& pair : *array_at(row, "fields")) {
        out.push_back(field_of(pair));
    }
    return out;
}

std::string joined(json::array const& lines) {
    std::string out;
    for (auto const& line : lines) {
        out += (out.empty() ? "" : " | ") + text_of(line);
    }
    return out;
}

json::array const& list_of(json::object const& file, std::string_view name, std::size_t rows_min) {
    auto const* const rows = array_at(file, name);
    EXPECT_TRUE(rows && rows->size() >= rows_min) << name;
    return *rows;
}

json::object request_corpus() {
    return read_data_file("proxy/request_headers.json").as_object();
}
json::object response_corpus() {
    return read_data_file("proxy/response_headers.json").as_object();
}

TEST(HeaderRules, T42_the_listed_request_headers_pass_as_they_are) {
    auto const corpus = request_corpus();
    for (auto const& pair : list_of(corpus, "passes", 15)) {
        auto const field = field_of(pair);
        EXPECT_EQ(to_workspace({field}), field.name + ": " + field.value);
    }
}

TEST(HeaderRules, T42_no_other_request_header_passes) {
    auto const corpus = request_corpus();
    Fields all;
    for (auto const& list : {list_of(corpus, "odd", 200), list_of(corpus, "never", 35)}) {
        for (auto const& name : list) {
            Field const field{text_of(name), "close"};
            EXPECT_EQ(to_workspace({field}), "") << field.name;
            all.push_back(field);
        }
    }
    all.insert(all.begin() + 100, {"Accept", "a"});
    EXPECT_EQ(to_workspace(all), "Accept: a");
}

TEST(HeaderRules, T42_what_the_operator_lists_passes_but_never_credentials_routing_or_framing) {
    auto const corpus = request_corpus();
    auto const listed = [](std::string const& name) {
        return to_workspace({{name, "close"}}, {.extra_allowed = {"X-Other", name}});
    };
    for (auto const& name : list_of(corpus, "odd", 200)) {
        auto const text = text_of(name);
        EXPECT_EQ(listed(text), text.find('_') == std::string::npos ? text + ": close" : "");
    }
    for (auto const& name : list_of(corpus, "never", 35)) {
        EXPECT_EQ(listed(text_of(name)), "") << text_of(name);
    }
    EXPECT_EQ(to_workspace({{"x-CUSTOM", "1"}}, {.extra_allowed = {"X-Custom"}}), "x-CUSTOM: 1");
}

TEST(HeaderRules, T40_what_connection_nominates_goes_but_nothing_of_ours) {
    auto const request = request_corpus();
    for (auto const& row : list_of(request, "nominated", 5)) {
        auto const& object = row.as_object();
        auto const arrives = joined(*array_at(object, "arrives"));
        EXPECT_EQ(to_workspace(fields_of(object)), arrives) << text_at(object, "why");
        // The names that we add are safe from being nominated.
        EXPECT_EQ(to_workspace(fields_of(object), {}, "7"),
                  arrives + (arrives.empty() ? "" : " | ") +
                      "X-Databricks-Org-Id: 7 | X-Databricks-Workspace-Id: 7");
    }
    auto const response = response_corpus();
    for (auto const& row : list_of(response, "nominated", 3)) {
        auto const& object = row.as_object();
        EXPECT_EQ(to_caller(fields_of(object)), joined(*array_at(object, "arrives")))
            << text_at(object, "why");
    }
}

TEST(HeaderRules, T41_a_broken_field_refuses_the_whole_message) {
    auto const request = request_corpus();
    for (auto const& row : list_of(request, "refused", 20)) {
        auto const& object = row.as_object();
        EXPECT_EQ(to_workspace(fields_of(object), {}, "7"), "invalid_request")
            << text_at(object, "why");
    }
    auto const response = response_corpus();
    for (auto const& row : list_of(response, "refused", 20)) {
        auto const& object = row.as_object();
        EXPECT_EQ(to_caller(fields_of(object)), "upstream_malformed") << text_at(object, "why");
    }
}

TEST(HeaderRules, T41_one_function_writes_lines_and_knows_the_characters) {
    for (unsigned byte = 0; byte < 256; ++byte) {
        char const c = static_cast<char>(byte);
        std::string out = "before";
        bool const control = (byte < 0x20 && c != '\t') || byte == 0x7f;
        EXPECT_EQ(append_header_line(out, "X", std::string("a") + c), !control) << byte;
        EXPECT_EQ(out, control ? "before" : std::string("beforeX: a") + c + "\r\n");
        bool const in_name = (byte < 0x80 && std::isalnum(static_cast<int>(byte)) != 0) ||
                             (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").contains(c));
        out.clear();
        EXPECT_EQ(append_header_line(out, std::string("a") + c, "1"), in_name) << byte;
        EXPECT_EQ(out.empty(), !in_name);
    }
    std::string out;
    EXPECT_FALSE(append_header_line(out, "", "1"));
}

TEST(HeaderRules, T41_our_own_values_are_checked_too) {
    EXPECT_EQ(to_workspace({{"Accept", "a"}}, {}, "7\r\nX: y"), "internal");
    EXPECT_EQ(to_workspace({{"User-Agent", "a"}}, {.user_agent_suffix = "b\nc"}), "internal");
}

TEST(HeaderRules, T38_the_rows_workspace_arrives_exactly_once) {
    Fields const fields{{"X-Databricks-Org-Id", "9"},
                        {"x-databricks-workspace-id", "9"},
                        {"X-Forwarded-Host", "evil.test"},
                        {"Host", "evil.test"},
                        {"Accept", "a"}};
    EXPECT_EQ(to_workspace(fields, {}, "7"),
              "Accept: a | X-Databricks-Org-Id: 7 | X-Databricks-Workspace-Id: 7");
    EXPECT_EQ(to_workspace(fields), "Accept: a");
}

TEST(HeaderRules, our_name_follows_the_callers_in_the_user_agent) {
    RequestHeaderRules const rules{.user_agent_suffix = "brickgate/1.0"};
    EXPECT_EQ(to_workspace({{"User-Agent", "databricks-sdk-py/1"}}, rules),
              "User-Agent: databricks-sdk-py/1 brickgate/1.0");
    EXPECT_EQ(to_workspace({}, rules), "User-Agent: brickgate/1.0");
    EXPECT_EQ(to_workspace({{"User-Agent", ""}}, rules), "User-Agent: brickgate/1.0");
    EXPECT_EQ(to_workspace({{"user-agent", "a"}, {"User-Agent", "b"}}, rules),
              "User-Agent: a brickgate/1.0");
    EXPECT_EQ(to_workspace({{"User-Agent", "a"}}), "User-Agent: a");
    EXPECT_EQ(to_workspace({}), "");
}

TEST(HeaderRules, T44_what_would_act_on_our_origin_is_dropped) {
    auto const corpus = response_corpus();
    Fields all;
    for (auto const& pair : list_of(corpus, "dropped", 45)) {
        auto const field = field_of(pair);
        EXPECT_EQ(to_caller({field}), "") << field.name;
        all.push_back(field);
    }
    all.insert(all.begin() + 20, {"ETag", "\"a\""});
    EXPECT_EQ(to_caller(all), "ETag: \"a\"");
}

TEST(HeaderRules, everything_else_of_an_answer_passes_as_it_is) {
    auto const corpus = response_corpus();
    Fields all;
    std::string lines;
    for (auto const& pair : list_of(corpus, "passes", 20)) {
        auto const field = field_of(pair);
        lines += (lines.empty() ? "" : " | ") + field.name + ": " + field.value;
        all.push_back(field);
    }
    EXPECT_EQ(to_caller(all), lines);
    EXPECT_EQ(to_caller({{"X-Name", "caf\xE9 caf\xC3\xA9"}}), "X-Name: caf\xE9 caf\xC3\xA9");
}

TEST(HeaderRules, T44_every_answer_is_made_harmless_in_a_browser) {
    std::string out;
    EXPECT_EQ(lines_of(append_response_headers(out, {}), out), harmless);
    auto const without_cache = harmless.substr(0, harmless.rfind(" | "));
    out.clear();
    std::array const fields{HeaderField{"cache-control", "private, max-age=5"}};
    EXPECT_EQ(lines_of(append_response_headers(out, fields), out),
              "cache-control: private, max-age=5 | " + without_cache);
}

TEST(HeaderRules, T44_no_cache_may_give_one_callers_answer_to_another) {
    for (auto const* const said : {"public, max-age=600", "max-age=5, PUBLIC", "s-maxage=60",
                                   "max-age=0, must-revalidate"}) {
        EXPECT_THAT(to_caller({{"Cache-Control", said}}), StartsWith("Cache-Control: private | "));
    }
    for (auto const* const said : {"private, max-age=5", "no-cache", "max-age=60"}) {
        EXPECT_THAT(to_caller({{"Cache-Control", said}}),
                    StartsWith(std::string("Cache-Control: ") + said + " | "));
    }
}

TEST(HeaderRules, lines_are_appended_to_what_is_there) {
    std::string out = "GET / HTTP/1.1\r\n";
    std::array const good{HeaderField{"Accept", "a"}};
    std::array const bad{HeaderField{"Accept", "a"}, HeaderField{"X", "\n"}};
    EXPECT_TRUE(append_request_headers(out, good, {}));
    EXPECT_EQ(out, "GET / HTTP/1.1\r\nAccept: a\r\n");
    EXPECT_FALSE(append_request_headers(out, bad, {}));
    EXPECT_FALSE(append_request_headers(out, good, {}, "\n"));
    EXPECT_FALSE(append_response_headers(out, bad));
    EXPECT_EQ(out, "GET / HTTP/1.1\r\nAccept: a\r\n");
}

}  // namespace
}  // namespace brickgate::testing
