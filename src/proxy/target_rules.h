// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which addresses a caller may reach through us (T37, T38). A target is refused or passed on byte
// by byte, never normalised: what we read and what the workspace reads must be the same path,
// however often somebody behind us decodes it. Only the parameters that choose a workspace or an
// account are cut out of the query: the row says where a call goes. Pure; any thread. Errors:
// path_rejected.
#include <string>
#include <string_view>

#include "base/result.h"

namespace brickgate {

inline constexpr std::size_t proxy_target_bytes_max = 8 * 1024;  // T52: a request line's limit

struct ProxyTarget {
    std::string raw;  // path and query to send upstream
    std::string_view path() const;
    std::string_view query() const;  // without the '?'
};

// `raw_target`: origin form as received, below the gateway's own prefix ("/api/2.0/x?y=1").
Result<ProxyTarget> check_target(std::string_view raw_target);

// Whether a path is for the workspace at all: this chooses the route, check_target() judges.
bool is_proxied_path(std::string_view raw_path);

// Whole segments: "/api/2.0/sql" holds itself and "/api/2.0/sql/x", not "/api/2.0/sqlx"; with a
// slash at its end it holds what is below it only. Compares bytes, so an escaped twin of an allowed
// path is outside. Empty, or not beginning with '/': holds nothing. For paths that passed
// check_target().
bool path_within(std::string_view raw_path, std::string_view prefix);

}  // namespace brickgate
