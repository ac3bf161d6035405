// SPDX-License-Identifier: Apache-2.0
#pragma once
// The syntax of .env files as npm's dotenv reads it, to the letter: NAME=value or `NAME: value`,
// `export`, comments (a # outside quotes begins one), single, double and backtick quotes over
// several lines, \n and \r in double quotes. Nothing is expanded. tests/vectors/dotenv.json holds
// what both read. Pure.
#include <map>
#include <string>
#include <string_view>

namespace brickgate {

std::map<std::string, std::string> parse_dotenv(std::string_view text);

}  // namespace brickgate
