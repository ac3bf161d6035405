// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was typed to the stand-in for Databricks' CLI, in that program's grammar: its global flags
// may stand anywhere.
#include <cstdint>
#include <string>
#include <vector>

#include "cli/databrickscfg.h"

namespace brickgate::cli {

struct ShimCall {
    enum class Command : std::uint8_t { version, token, help, other };
    Command command = Command::other;
    std::string why = {};  // other: what is wrong with the words, where that is known
    ShimQuestion question = {};
    std::string account_id = {};
    bool force_refresh = false;
    bool json = false;  // asked for by --output
    bool text = false;  // likewise
};

ShimCall parse_shim(std::vector<std::string> words);

}  // namespace brickgate::cli
