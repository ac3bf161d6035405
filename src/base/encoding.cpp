// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>

namespace brickgate {

namespace {

std::string sodium_base64(std::string_view bytes, int variant) {
    std::string out(sodium_base64_encoded_len(bytes.size(), variant), '\0');
    sodium_bin2base64(out.data(), out.size(), reinterpret_cast<unsigned char const*>(bytes.data()),
                      bytes.size(), variant);
    out.resize(out.size() - 1);  // the terminator that libsodium counts
    return out;
}

std::optional<std::string> sodium_unbase64(std::string_view text, int variant) {
    std::string out(text.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0;
    char const* end = nullptr;
    int const failed = sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                         text.data(), text.size(), nullptr, &size, &end, variant);
    if (failed != 0 || end != text.data() + text.size()) {
        return std::nullopt;
    }
    out.resize(size);
    return out;
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void append_escape(std::string& out, char c) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    auto const byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

std::optional<std::string> decode_escapes(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] == '%') {
            if (i + 2 >= text.size()) {
                return std::nullopt;
            }
            int const high = hex_value(text[i + 1]);
            int const low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) {
                return std::nullopt;
            }
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

struct CodePoint {
    char32_t value = 0;
    std::size_t size = 0;  // 0: not UTF-8
};

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint next_code_point(std::string_view text) {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char const first = byte(0);
    if (first < 0x80) {
        return {first, 1};
    }
    std::size_t const size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
    if (size == 0 || first > 0xF4 || text.size() < size) {
        return {};
    }
    char32_t value = first & (0xFF >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0) != 0x80) {
            return {};
        }
        value = (value << 6) | (byte(i) & 0x3F);
    }
    static constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return {};
    }
    return {value, size};
}

bool is_invisible(char32_t c) {
    bool const control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    bool const separator = c == 0x2028 || c == 0x2029 || c == 0xFEFF;
    bool const bidi = (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
                      (c >= 0x2060 && c <= 0x206F) || c == 0x061C;
    return control || separator || bidi;
}

}  // namespace

std::string base64url_encode(std::string_view bytes) {
    return sodium_base64(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
std::optional<std::string> base64url_decode(std::string_view text) {
    return sodium_unbase64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
std::string base64_encode(std::string_view bytes) {
    return sodium_base64(bytes, sodium_base64_VARIANT_ORIGINAL);
}
std::optional<std::string> base64_decode(std::string_view text) {
    return sodium_unbase64(text, sodium_base64_VARIANT_ORIGINAL);
}

std::string hex_encode(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int const high = hex_value(text[i]);
        int const low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    std::string out;
    for (char const c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            append_escape(out, c);
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
    return decode_escapes(text, false);
}

std::string form_encode(std::string_view text) {
    std::string out;
    for (char const c : text) {
        if (c == ' ') {
            out += '+';
        } else if (is_unreserved(c) && c != '~') {
            out += c;
        } else {
            append_escape(out, c);
        }
    }
    return out;
}

std::string form_encode(FormFields const& fields) {
    std::string out;
    for (auto const& [name, value] : fields) {
        if (!out.empty()) {
            out += '&';
        }
        out += form_encode(name) + '=' + form_encode(value);
    }
    return out;
}

std::optional<FormFields> form_decode(std::string_view body) {
    FormFields fields;
    while (!body.empty()) {
        auto const end = std::min(body.find('&'), body.size());
        auto const field = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (field.empty()) {
            continue;
        }
        auto const equals = std::min(field.find('='), field.size());
        auto name = decode_escapes(field.substr(0, equals), true);
        auto value = decode_escapes(field.substr(std::min(equals + 1, field.size())), true);
        if (!name || !value) {
            return std::nullopt;
        }
        fields.emplace_back(std::move(*name), std::move(*value));
    }
    return fields;
}

std::string html_escape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (char const c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            case '/':
                out += "&#47;";
                break;
            case '=':
                out += "&#61;";
                break;
            case '`':
                out += "&#96;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string sha256(std::string_view bytes) {
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    std::string out(32, '\0');
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
               algorithm, nullptr);
    return out;
}

bool is_valid_utf8(std::string_view text) {
    while (!text.empty()) {
        auto const point = next_code_point(text);
        if (point.size == 0) {
            return false;
        }
        text.remove_prefix(point.size);
    }
    return true;
}

std::string clean_text(std::string_view untrusted, std::size_t bytes_max) {
    std::string out;
    while (!untrusted.empty()) {
        auto const point = next_code_point(untrusted);
        if (point.size == 0) {
            untrusted.remove_prefix(1);
            continue;
        }
        if (!is_invisible(point.value)) {
            if (out.size() + point.size > bytes_max) {
                break;
            }
            out += untrusted.substr(0, point.size);
        }
        untrusted.remove_prefix(point.size);
    }
    return out;
}

}  // namespace brickgate
