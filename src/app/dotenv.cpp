// SPDX-License-Identifier: Apache-2.0
#include "app/dotenv.h"

#include <algorithm>

#include "base/secret.h"

namespace brickgate {

namespace {

constexpr std::string_view white = " \t\n\v\f";

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool is_white(char c) {
    return white.find(c) != std::string_view::npos;
}

bool is_quote(char c) {
    return c == '"' || c == '\'' || c == '`';
}

// Line ends of Windows, and of old Macs, are line ends.
std::string with_plain_line_ends(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r') {
            out += text[i];
        } else if (i + 1 == text.size() || text[i + 1] != '\n') {
            out += '\n';
        }
    }
    return out;
}

std::string_view trimmed(std::string_view text) {
    auto const first = text.find_first_not_of(white);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

void expand(std::string& value, std::string_view escape, char meant) {
    for (auto at = value.find(escape); at != std::string::npos; at = value.find(escape, at + 1)) {
        value.replace(at, escape.size(), 1, meant);
    }
}

class Reader {
 public:
    explicit Reader(std::string_view text) : text_(text) {
        if (text_.starts_with("\xEF\xBB\xBF")) {
            at_ = 3;
        }
    }

    bool at_end() const { return at_ >= text_.size(); }

    // The next assignment; an empty name where the line is none.
    std::pair<std::string, std::string> next() {
        at_ = after_white(at_);
        auto const [begin, end] = name();
        auto const value_at = begin == end ? std::string_view::npos : after_separator(end);
        if (value_at == std::string_view::npos) {
            at_ = next_line(at_);
            return {};
        }
        return {std::string(text_.substr(begin, end - begin)), value(value_at)};
    }

 private:
    static constexpr auto npos = std::string_view::npos;

    char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
    std::size_t after_white(std::size_t i) const {
        while (i < text_.size() && is_white(text_[i])) {
            ++i;
        }
        return i;
    }
    std::size_t next_line(std::size_t i) const {
        auto const end = text_.find('\n', i);
        return end == npos ? text_.size() : end + 1;
    }
    std::size_t after_name(std::size_t i) const {
        while (i < text_.size() && is_name_char(text_[i])) {
            ++i;
        }
        return i;
    }
    // `export` is a name too, where none follows it.
    std::pair<std::size_t, std::size_t> name() const {
        constexpr std::string_view word = "export";
        if (text_.substr(at_).starts_with(word) && is_white(at(at_ + word.size()))) {
            auto const begin = after_white(at_ + word.size());
            auto const end = after_name(begin);
            if (begin != end && after_separator(end) != npos) {
                return {begin, end};
            }
        }
        return {at_, after_name(at_)};
    }
    // Where the value begins; npos where no separator follows.
    std::size_t after_separator(std::size_t i) const {
        if (at(i) == ':' && i + 1 < text_.size() && is_white(text_[i + 1])) {
            return i + 2;
        }
        i = after_white(i);
        return at(i) == '=' ? i + 1 : npos;
    }

    std::string value(std::size_t begin) {
        auto const quote = after_white(begin);
        auto const close = is_quote(at(quote)) ? closing(quote) : npos;
        std::string_view raw;
        if (close != npos) {
            raw = text_.substr(quote, close + 1 - quote);
            at_ = next_line(close);
        } else {
            auto const end = std::min(text_.find_first_of("#\n", begin), text_.size());
            raw = trimmed(text_.substr(begin, end - begin));
            at_ = next_line(end);
        }
        bool const escapes = raw.starts_with('"');
        if (raw.size() > 1 && is_quote(raw.front()) && raw.front() == raw.back()) {
            raw = raw.substr(1, raw.size() - 2);
        }
        std::string out(raw);
        if (escapes) {
            expand(out, "\\n", '\n');
            expand(out, "\\r", '\r');
        }
        return out;
    }

    // The quote that ends the value: nothing but a comment may stand behind it on its line. One
    // behind a backslash ends it only where no other does, so that name="C:\" is whole.
    std::size_t closing(std::size_t open) const {
        std::size_t end = npos;
        for (auto i = open + 1; i < text_.size(); ++i) {
            if (text_[i] != text_[open]) {
                continue;
            }
            bool const escaped = text_[i - 1] == '\\';
            if (ends_line(i + 1)) {
                end = i;
            }
            if (!escaped) {
                break;
            }
        }
        return end;
    }
    bool ends_line(std::size_t i) const {
        auto const next = text_.find_first_not_of(" \t\v\f", i);
        return next == npos || text_[next] == '\n' || text_[next] == '#';
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::map<std::string, std::string> parse_dotenv(std::string_view text) {
    std::map<std::string, std::string> out;
    std::string plain = with_plain_line_ends(text);
    Reader reader(plain);
    while (!reader.at_end()) {
        auto [name, value] = reader.next();
        if (!name.empty()) {
            out[std::move(name)] = std::move(value);
        }
    }
    wipe(plain);
    return out;
}

}  // namespace brickgate
