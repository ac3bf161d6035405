// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text forms of bytes, pure. Decoders are strict: what an encoder of ours would not write is
// refused.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brickgate {

std::string base64url_encode(std::string_view bytes);  // RFC 4648 section 5, no padding
std::optional<std::string> base64url_decode(std::string_view text);
std::string base64_encode(std::string_view bytes);  // RFC 4648 section 4
std::optional<std::string> base64_decode(std::string_view text);
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

// RFC 3986: everything but unreserved characters is escaped.
std::string percent_encode(std::string_view text);
std::optional<std::string> percent_decode(std::string_view text);

// application/x-www-form-urlencoded, as RFC 6749 appendix B wants it: a space is '+'.
using FormFields = std::vector<std::pair<std::string, std::string>>;
std::string form_encode(std::string_view text);
std::string form_encode(FormFields const& fields);
std::optional<FormFields> form_decode(std::string_view body);  // nullopt: a bad escape

std::string html_escape(std::string_view text);  // T24: & < > " ' / = `
std::string sha256(std::string_view bytes);      // 32 raw bytes
bool is_valid_utf8(std::string_view text);
// Somebody else's words made safe to show or log: invalid UTF-8, control and bidi characters
// removed, cut.
std::string clean_text(std::string_view untrusted, std::size_t bytes_max = 200);

}  // namespace brickgate
