// SPDX-License-Identifier: Apache-2.0
#pragma once
// ~/.databrickscfg as far as the stand-in for Databricks' CLI needs it (databricks-facts 5.6):
// which workspace a profile means, and which of our connections. Nothing else in the file is looked
// at; secrets in it are not kept. And the choice among flags, environment and file, by the CLI's
// own order. Pure.
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace brickgate::cli {

struct CfgProfile {
    std::string name = {};
    std::string host = {};
    std::string connection = {};  // brickgate_connection, a key of ours
};

struct DatabricksCfg {
    std::string path = {};  // for sentences
    std::vector<CfgProfile> profiles = {};
    std::string default_profile = {};  // [__settings__] default_profile

    // INI as both SDKs read it: `#` and `;` begin a comment line, `=` or `:` after the key, the
    // last of two equal keys counts, what is no such line is passed over.
    static DatabricksCfg parse(std::string_view text);
    CfgProfile const* find(std::string_view name) const;
};

struct ShimQuestion {           // what was typed
    std::string argument = {};  // auth token [PROFILE], which may be a host
    std::string host = {};
    std::string profile = {};
};
struct ShimSurroundings {
    std::string host = {};        // DATABRICKS_HOST
    std::string profile = {};     // DATABRICKS_CONFIG_PROFILE
    std::string connection = {};  // BRICKGATE_CONNECTION
};
struct ShimTarget {
    std::string host = {};  // as it was written; empty: nothing says which
    std::string connection = {};
    std::string profile = {};
};

// The error is a sentence.
std::expected<ShimTarget, std::string> shim_target(ShimQuestion const& question,
                                                   ShimSurroundings const& around,
                                                   DatabricksCfg const& cfg);

}  // namespace brickgate::cli
