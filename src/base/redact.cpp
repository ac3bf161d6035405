// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/log.h"

// One pass, no recursion, linear time: std::regex recurses for each character, so that a long line
// from somebody else would end the program.
namespace brickgate {

namespace {

constexpr std::string_view blank = "[redacted]";
constexpr std::array<std::string_view, 7> named{
    "code", "state", "code_verifier", "client_secret", "refresh_token", "access_token", "id_token"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}
bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}
bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::size_t run(std::string_view text, std::size_t from, auto&& belongs) {
    while (from < text.size() && belongs(text[from])) {
        ++from;
    }
    return from;
}

class Redactor {
 public:
    explicit Redactor(std::string_view text) : text_(text) {}

    std::string result() {
        std::string out;
        out.reserve(text_.size());
        while (at_ < text_.size()) {
            if (auto const value = value_of_name()) {
                out.append(text_.substr(at_, value - at_)).append(blank);
                at_ = run(text_, value, [](char c) { return c != '&' && !is_space(c); });
            } else if (auto const end = token_end()) {
                out.append(blank);
                at_ = end;
            } else {
                out += text_[at_++];
            }
        }
        return out;
    }

 private:
    // Where the value begins if `name=value` stands here; 0 otherwise.
    std::size_t value_of_name() const {
        auto const rest = text_.substr(at_);
        for (auto const name : named) {
            auto const value = name.size() + 1;
            if (rest.size() > value && rest.starts_with(name) && rest[name.size()] == '=' &&
                rest[value] != '&' && !is_space(rest[value])) {
                return at_ + value;
            }
        }
        return 0;
    }

    // Where a token ends that begins here; 0 if none does.
    std::size_t token_end() {
        auto const rest = text_.substr(at_);
        if (rest.starts_with("doau") || rest.starts_with("dose")) {
            auto const end = run(text_, at_ + 4, is_word);
            return end > at_ + 4 ? end : 0;
        }
        if (rest.starts_with("dapi")) {
            return personal_token_end();
        }
        if (rest.starts_with("eyJ")) {
            return jwt_end();
        }
        for (auto const own : {std::string_view("bg_"), std::string_view("bgc_")}) {
            if (rest.starts_with(own)) {
                return own_bearer_end(at_ + own.size());
            }
        }
        return 0;
    }

    std::size_t personal_token_end() const {  // dapi, 32 hex digits, perhaps -2
        auto const hex = text_.substr(at_ + 4, 32);
        if (hex.size() < 32 || !std::ranges::all_of(hex, is_lower_hex)) {
            return 0;
        }
        auto const end = at_ + 36;
        bool const numbered = end < text_.size() && text_[end] == '-';
        auto const number_end = numbered ? run(text_, end + 1, is_digit) : end;
        return number_end > end + 1 ? number_end : end;
    }

    std::size_t jwt_end() {
        if (at_ < no_jwt_before_) {
            return 0;  // the same characters were walked before, and no second dot came
        }
        auto const first = run(text_, at_, is_word);
        auto const second = first < text_.size() ? run(text_, first + 1, is_word) : first;
        bool const jwt = second < text_.size() && text_[first] == '.' && text_[second] == '.' &&
                         first > at_ + 3 && second > first + 1;
        if (!jwt) {
            no_jwt_before_ = first;
            return 0;
        }
        return run(text_, second + 1, is_word);
    }

    // An API key or a capability: prefix, 16 hex digits, _, the secret.
    std::size_t own_bearer_end(std::size_t id) const {
        auto const hex = text_.substr(id, 16);
        auto const secret = id + 17;
        bool const key = hex.size() == 16 && std::ranges::all_of(hex, is_lower_hex) &&
                         secret < text_.size() && text_[secret - 1] == '_' &&
                         !is_space(text_[secret]);
        return key ? run(text_, secret, [](char c) { return !is_space(c); }) : 0;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t no_jwt_before_ = 0;
};

}  // namespace

std::string redact(std::string_view text) {
    return Redactor(text).result();
}

}  // namespace brickgate
