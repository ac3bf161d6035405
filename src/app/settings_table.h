// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every setting once: its names, how it is read and shown, and one line on what it is. Drives the
// loader, `brickgate config`, the environment's names and the check of docs/configuration.md.
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "brickgate/config.h"

namespace brickgate {

struct Setting {
    std::string_view section;
    std::string_view key;
    std::string_view plain_name;  // CLIENT_ID and its kin; may be empty
    std::string_view about;
    bool secret = false;
    bool list = false;  // entries are separated by commas, or by line breaks
    std::function<Result<void>(Config&, std::string const&)> set;  // the error: "must be ..."
    std::function<std::string(Config const&)> show;

    std::string name() const { return std::string(section) + "." + std::string(key); }
    std::string environment_name() const;  // BRICKGATE_SECTION_KEY
};

std::span<Setting const> all_settings();

}  // namespace brickgate
