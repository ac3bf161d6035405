// SPDX-License-Identifier: Apache-2.0
#include "app/dotenv.h"

#include <algorithm>

namespace brickgate {

namespace {

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

class Reader {
 public:
    explicit Reader(std::string_view rest) : rest_(rest) {
        if (rest_.starts_with("\xEF\xBB\xBF")) {
            rest_.remove_prefix(3);
        }
    }

    bool at_end() const { return rest_.empty(); }

    // The next assignment; an empty name where the line is none.
    std::pair<std::string, std::string> next() {
        skip_space();
        if (rest_.starts_with("export ") || rest_.starts_with("export\t")) {
            rest_.remove_prefix(6);
            skip_space();
        }
        std::string name;
        while (!rest_.empty() && is_name_char(rest_.front())) {
            name += take();
        }
        skip_space();
        if (name.empty() || rest_.empty() || rest_.front() != '=') {
            skip_line();
            return {};
        }
        take();
        skip_space();
        std::string value =
            !rest_.empty() && is_quote(rest_.front()) && closes() ? quoted() : bare();
        skip_line();
        return {std::move(name), std::move(value)};
    }

 private:
    static bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
    // A quote that is never closed is part of the value, as in: name='tis
    bool closes() const {
        char const quote = rest_.front();
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == quote) {
                return true;
            }
            if (rest_[i] == '\\' && quote == '"') {
                ++i;
            }
        }
        return false;
    }
    char take() {
        char const c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    void skip_space() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
            take();
        }
    }
    void skip_line() {
        auto const end = rest_.find('\n');
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    }
    std::string quoted() {
        char const quote = take();
        std::string out;
        while (!rest_.empty() && rest_.front() != quote) {
            char const c = take();
            if (c == '\\' && quote == '"' && !rest_.empty()) {
                char const escaped = take();
                out += escaped == 'n'   ? '\n'
                       : escaped == 'r' ? '\r'
                       : escaped == 't' ? '\t'
                                        : escaped;
            } else if (c != '\r' || rest_.empty() || rest_.front() != '\n') {
                out += c;  // line ends of Windows are line ends
            }
        }
        if (!rest_.empty()) {
            take();
        }
        return out;
    }
    std::string bare() {
        auto text = rest_.substr(0, rest_.find('\n'));
        // A comment needs a space before it, so that a # may stand in a value.
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t')) {
                text = text.substr(0, i);
                break;
            }
        }
        auto const last = text.find_last_not_of(" \t\r");
        return std::string(text.substr(0, last == std::string_view::npos ? 0 : last + 1));
    }

    std::string_view rest_;
};

}  // namespace

std::map<std::string, std::string> parse_dotenv(std::string_view text) {
    std::map<std::string, std::string> out;
    Reader reader(text);
    while (!reader.at_end()) {
        auto [name, value] = reader.next();
        if (!name.empty()) {
            out[std::move(name)] = std::move(value);
        }
    }
    return out;
}

}  // namespace brickgate
