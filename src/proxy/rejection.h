// SPDX-License-Identifier: Apache-2.0
#pragma once
// Does this answer mean that the token was refused (T46)? Databricks says it in many ways
// (facts 3.5): mostly 401, often 403 with words about the token, once 400. A wrong yes costs a
// refresh, a wrong no costs the caller an error, so permission, scope and address refusals are told
// apart by their words. Pure; any thread; no errors.
#include <cstdint>
#include <string_view>

namespace brickgate {

// How much of a refusal's body is worth waiting for; more is never a message.
inline constexpr std::size_t rejection_body_bytes_max = 64 * 1024;

enum class TokenVerdict : std::uint8_t { accepted, rejected };

// `body_start`: the body as far as it is known; the text of x-databricks-reason-phrase, which
// repeats it, may be its first line, or all of it. `www_authenticate`: the challenge, or empty.
TokenVerdict judge_token(int status, std::string_view body_start,
                         std::string_view www_authenticate);

}  // namespace brickgate
