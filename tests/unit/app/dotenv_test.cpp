// SPDX-License-Identifier: Apache-2.0
#include "app/dotenv.h"

#include <gtest/gtest.h>

#include <vector>

namespace brickgate {
namespace {

using Values = std::map<std::string, std::string>;

struct Row {
    std::string_view what;
    std::string_view text;
    Values expected;
};

std::vector<Row> const rows{
    {"plain", "A=1", {{"A", "1"}}},
    {"several lines, the last without an end", "A=1\nB=2", {{"A", "1"}, {"B", "2"}}},
    {"line ends of Windows", "A=1\r\nB=2\r\n", {{"A", "1"}, {"B", "2"}}},
    {"a byte order mark",
     "\xEF\xBB\xBF"
     "A=1",
     {{"A", "1"}}},
    {"export before the name", "export A=1\nexport\tB=2", {{"A", "1"}, {"B", "2"}}},
    {"a name that begins with export", "exported=1", {{"exported", "1"}}},
    {"spaces around", "  A  =  1  ", {{"A", "1"}}},
    {"spaces inside", "A=one two", {{"A", "one two"}}},
    {"nothing", "A=", {{"A", ""}}},
    {"nothing in quotes", "A=\"\"\nB=''", {{"A", ""}, {"B", ""}}},
    {"spaces kept by quotes", "A=\" 1 \"\nB=' 2 '", {{"A", " 1 "}, {"B", " 2 "}}},
    {"a comment line", "# A=1\n  # B=2\nC=3", {{"C", "3"}}},
    {"a comment behind", "A=1 # one", {{"A", "1"}}},
    {"a comment behind quotes", "A=\"1\" # one", {{"A", "1"}}},
    {"# inside a value is no comment", "A=dose#1\nB='a # b'", {{"A", "dose#1"}, {"B", "a # b"}}},
    {"only a comment", "A= # nothing", {{"A", ""}}},
    {"equals inside", "A=a=b==", {{"A", "a=b=="}}},
    {"escapes in double quotes", R"(A="a\nb\tc\"d\\e")", {{"A", "a\nb\tc\"d\\e"}}},
    {"no escapes in single quotes", R"(A='a\nb')", {{"A", "a\\nb"}}},
    {"no escapes without quotes", R"(A=a\nb)", {{"A", "a\\nb"}}},
    {"several lines in double quotes", "A=\"one\ntwo\"\nB=2", {{"A", "one\ntwo"}, {"B", "2"}}},
    {"several lines of Windows", "A=\"one\r\ntwo\"", {{"A", "one\ntwo"}}},
    {"backticks", "A=`it's \"so\"`", {{"A", "it's \"so\""}}},
    {"the other quote inside", "A=\"it's\"\nB='\"x\"'", {{"A", "it's"}, {"B", "\"x\""}}},
    {"a quote that is not closed", "A='tis\nB=2", {{"A", "'tis"}, {"B", "2"}}},
    {"a quote closed by an escaped one only", "A=\"x\\\"\nB=2", {{"A", "\"x\\\""}, {"B", "2"}}},
    {"nothing is expanded", "A=1\nB=$A ${A} $(id)", {{"A", "1"}, {"B", "$A ${A} $(id)"}}},
    {"the last of two counts", "A=1\nA=2", {{"A", "2"}}},
    {"lines that are none", "just words\n=1\n1 2 3\nA=1", {{"A", "1"}}},
    {"names with dots and dashes", "a.b-c=1", {{"a.b-c", "1"}}},
    {"empty", "", {}},
    {"only line ends", "\n\r\n\n", {}},
};

TEST(Dotenv, reads_what_the_dotenv_packages_read) {
    for (auto const& row : rows) {
        EXPECT_EQ(parse_dotenv(row.text), row.expected) << row.what;
    }
}

TEST(Dotenv, the_file_of_the_tutorial) {
    auto const values = parse_dotenv(
        "CLIENT_ID=your-client-id\nCLIENT_SECRET=your-client-secret\n"
        "REDIRECT_URI=http://localhost:3000/callback\n");
    EXPECT_EQ(values.at("REDIRECT_URI"), "http://localhost:3000/callback");
    EXPECT_EQ(values.size(), 3U);
}

}  // namespace
}  // namespace brickgate
