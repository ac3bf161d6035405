// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

namespace brickgate {

// A file of assets/, embedded when the program was built; `path` is relative to that folder. Lives
// for ever.
std::optional<std::string_view> find_asset(std::string_view path);

}  // namespace brickgate
