// SPDX-License-Identifier: Apache-2.0
#pragma once
// A file with a secret in it, for its owner alone, that readers see whole or not at all: written
// beside its place, synced, renamed. A link in its place is replaced, not followed. Blocks.
#include <expected>
#include <string>
#include <string_view>

namespace brickgate::cli {

// The error is a sentence that names the file and what is in the way.
std::expected<void, std::string> replace_private_file(std::string const& path,
                                                      std::string_view text);

}  // namespace brickgate::cli
