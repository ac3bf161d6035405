// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words of RFC 6749 and OpenID Connect as types that do not mix. What opens something is a
// Secret inside; the rest are strings. Values; any thread.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "base/strong.h"

namespace brickgate {

using ClientId = Strong<struct ClientIdTag>;
using Issuer = Strong<struct IssuerTag>;
using RedirectUri = Strong<struct RedirectUriTag>;
using State = Strong<struct StateTag>;
using Nonce = Strong<struct NonceTag>;

// A secret with a meaning: an access token is not a refresh token.
template <class Tag>
class SecretValue {
 public:
    SecretValue() = default;
    explicit SecretValue(Secret secret) : secret_(std::move(secret)) {}
    Secret const& secret() const { return secret_; }
    decltype(auto) expose(auto&& use) const {
        return secret_.expose(std::forward<decltype(use)>(use));
    }
    SecretValue clone() const { return SecretValue(secret_.clone()); }
    bool empty() const { return secret_.empty(); }

 private:
    Secret secret_;
};
using AuthorizationCode = SecretValue<struct AuthorizationCodeTag>;
using AccessToken = SecretValue<struct AccessTokenTag>;
using RefreshToken = SecretValue<struct RefreshTokenTag>;
using IdToken = SecretValue<struct IdTokenTag>;

// A set of scope words; the order of writing is kept, equality ignores it (RFC 6749 section 3.3).
class Scopes {
 public:
    Scopes() = default;
    Scopes(std::initializer_list<std::string_view> words);
    static std::optional<Scopes> parse(
        std::string_view text);  // nullopt: a character that no scope has
    std::string to_string() const;
    bool contains(std::string_view word) const;
    bool is_subset_of(Scopes const& other) const;
    bool empty() const { return words_.empty(); }
    std::vector<std::string> const& words() const { return words_; }
    bool operator==(Scopes const& other) const;

 private:
    std::vector<std::string> words_;
};

// What a token endpoint returned.
struct TokenSet {
    AccessToken access;
    std::optional<RefreshToken> refresh;
    std::optional<IdToken> id_token;
    std::string token_type = "Bearer";
    Time expires_at{};
    std::optional<Scopes> scopes;  // absent: as asked for

    TokenSet clone() const;
};

}  // namespace brickgate
