// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTML by type: text is escaped when it is put in, only Html goes in as it is, and Html is made
// from literals and fill() alone, so that an unescaped value does not compile (T24). Pure.
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/encoding.h"

namespace brickgate {

class Html {
 public:
    Html() = default;
    static Html of(std::string_view constant) { return Html(std::string(constant)); }
    std::string const& text() const { return text_; }
    Html operator+(Html const& other) const { return Html(text_ + other.text_); }

 private:
    explicit Html(std::string text) : text_(std::move(text)) {}
    friend class HtmlPiece;
    friend Html fill(std::string_view, std::initializer_list<class HtmlPiece>);
    std::string text_;
};

class HtmlPiece {
 public:
    HtmlPiece(std::string_view text) : safe_(html_escape(text)) {}
    HtmlPiece(std::string const& text) : safe_(html_escape(text)) {}
    HtmlPiece(char const* text) : safe_(html_escape(text)) {}
    HtmlPiece(Html const& html) : safe_(html.text()) {}
    std::string const& safe() const { return safe_; }

 private:
    std::string safe_;
};

// Replaces each {} of a constant pattern by the next piece.
inline Html fill(std::string_view pattern, std::initializer_list<HtmlPiece> pieces) {
    std::string out;
    auto const* piece = pieces.begin();
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        bool const gap = pattern.substr(i, 2) == "{}" && piece != pieces.end();
        if (!gap) {
            out += pattern[i];
            continue;
        }
        out += (piece++)->safe();
        ++i;
    }
    return Html(std::move(out));
}

}  // namespace brickgate
