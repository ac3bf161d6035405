// SPDX-License-Identifier: Apache-2.0
#include "oauth/types.h"

#include <algorithm>

namespace brickgate {

Scopes::Scopes(std::initializer_list<std::string_view> words)
    : words_(words.begin(), words.end()) {}

std::optional<Scopes> Scopes::parse(std::string_view text) {
    Scopes scopes;
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        auto const word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (word.empty()) {
            continue;
        }
        bool const legal = std::ranges::all_of(
            word, [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '\\'; });
        if (!legal) {
            return std::nullopt;
        }
        if (!scopes.contains(word)) {
            scopes.words_.emplace_back(word);
        }
    }
    return scopes;
}

std::string Scopes::to_string() const {
    std::string out;
    for (auto const& word : words_) {
        if (!out.empty()) {
            out += ' ';
        }
        out += word;
    }
    return out;
}

bool Scopes::contains(std::string_view word) const {
    return std::ranges::find(words_, word) != words_.end();
}

bool Scopes::is_subset_of(Scopes const& other) const {
    return std::ranges::all_of(words_, [&](auto const& word) { return other.contains(word); });
}

bool Scopes::operator==(Scopes const& other) const {
    return is_subset_of(other) && other.is_subset_of(*this);
}

TokenSet TokenSet::clone() const {
    TokenSet copy;
    copy.access = access.clone();
    if (refresh) {
        copy.refresh = refresh->clone();
    }
    if (id_token) {
        copy.id_token = id_token->clone();
    }
    copy.token_type = token_type;
    copy.expires_at = expires_at;
    copy.scopes = scopes;
    return copy;
}

}  // namespace brickgate
