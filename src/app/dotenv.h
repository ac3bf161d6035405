// SPDX-License-Identifier: Apache-2.0
#pragma once
// The syntax of .env files as the dotenv packages read it: NAME=value, `export`, comments, single,
// double and backtick quotes over several lines, \n in double quotes. Nothing is expanded. Pure.
#include <map>
#include <string>
#include <string_view>

namespace brickgate {

std::map<std::string, std::string> parse_dotenv(std::string_view text);

}  // namespace brickgate
