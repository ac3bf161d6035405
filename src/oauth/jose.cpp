// SPDX-License-Identifier: Apache-2.0
#include "oauth/jose.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate {

namespace {

constexpr std::size_t keys_max = 32;
constexpr std::size_t tries_max = 4;  // duplicate kids: all are tried, but not for ever
constexpr std::size_t jws_bytes_max = 16 * 1024;
constexpr int rsa_bits_min = 2048;
constexpr int rsa_bits_max = 8192;

template <auto Free>
struct Deleter {
    void operator()(auto* pointer) const { Free(pointer); }
};
using BigNumber = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

unsigned char const* bytes_of(std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

std::unexpected<Error> bad_set(std::string message) {
    return fail(ErrorCode::jwks_invalid, std::move(message));
}
std::unexpected<Error> bad_token(std::string message) {
    return fail(ErrorCode::id_token_malformed, std::move(message));
}

BigNumber number_at(json::object const& jwk, std::string_view name) {
    auto const text = string_at(jwk, name);
    auto const bytes = text ? base64url_decode(*text) : std::nullopt;
    if (!bytes || bytes->empty() || bytes->size() > rsa_bits_max / 8 + 1) {
        return nullptr;
    }
    return BigNumber(BN_bin2bn(bytes_of(*bytes), static_cast<int>(bytes->size()), nullptr));
}

std::shared_ptr<EVP_PKEY> rsa_key(BIGNUM const* modulus, BIGNUM const* exponent) {
    ParamBuilder const builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus);
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent);
    Params const params(OSSL_PARAM_BLD_to_param(builder.get()));
    KeyContext const context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    bool const made = params && context && EVP_PKEY_fromdata_init(context.get()) > 0 &&
                      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) > 0;
    return {made ? key : nullptr, EVP_PKEY_free};
}

// nullopt: a key for something else, which is no fault.
Result<std::optional<VerificationKey>> read_key(json::object const& jwk) {
    auto const type = string_at(jwk, "kty");
    if (!type) {
        return bad_set("A published key has no type.");
    }
    auto const use = string_at(jwk, "use");
    auto const algorithm = string_at(jwk, "alg");
    bool const for_us =
        *type == "RSA" && (!use || *use == "sig") && (!algorithm || *algorithm == "RS256");
    if (!for_us) {
        return std::nullopt;
    }
    auto const modulus = number_at(jwk, "n");
    auto const exponent = number_at(jwk, "e");
    if (!modulus || !exponent) {
        return bad_set("A published RSA key is malformed.");
    }
    int const bits = BN_num_bits(modulus.get());
    if (bits < rsa_bits_min || bits > rsa_bits_max) {
        return bad_set("A published RSA key is too small or too large.");
    }
    bool const odd_exponent = BN_is_odd(exponent.get()) == 1 && BN_is_one(exponent.get()) == 0;
    if (!odd_exponent || BN_num_bits(exponent.get()) > 64) {
        return bad_set("A published RSA key has a bad exponent.");
    }
    VerificationKey key{std::string(string_at(jwk, "kid").value_or("")),
                        rsa_key(modulus.get(), exponent.get())};
    if (!key.key) {
        return bad_set("A published RSA key is not accepted by the crypto library.");
    }
    return key;
}

bool fits(VerificationKey const& key, UnverifiedJws const& jws) {
    DigestContext const context(EVP_MD_CTX_new());
    return EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr,
                                   key.key.get(), nullptr) > 0 &&
           EVP_DigestVerify(context.get(), bytes_of(jws.signature), jws.signature.size(),
                            bytes_of(jws.signing_input), jws.signing_input.size()) == 1;
}

Result<std::optional<std::string>> read_header(std::string const& text) {
    auto const parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) {
        return bad_token("The id_token's header is not JSON that we accept.");
    }
    auto const& header = parsed->get_object();
    // The algorithm is ours; the header may only agree. jku, x5u and jwk are not looked at.
    if (string_at(header, "alg").value_or("") != "RS256") {
        return fail(ErrorCode::id_token_alg, "The id_token is not signed with RS256.");
    }
    if (header.contains("crit")) {
        return bad_token("The id_token demands an extension that we do not know.");
    }
    if (!header.contains("kid")) {
        return std::nullopt;
    }
    auto const kid = string_at(header, "kid");
    if (!kid) {
        return bad_token("The id_token's kid is not text.");
    }
    return std::string(*kid);
}

}  // namespace

Result<JwkSet> JwkSet::parse(std::string_view text) {
    auto const parsed = parse_json(text);
    auto const* const list =
        parsed && parsed->is_object() ? array_at(parsed->get_object(), "keys") : nullptr;
    if (!list) {
        return bad_set("The published keys are not a JWK set.");
    }
    if (list->size() > keys_max) {
        return bad_set("More than 32 keys are published.");
    }
    JwkSet set;
    for (auto const& entry : *list) {
        if (!entry.is_object()) {
            return bad_set("A published key is not an object.");
        }
        auto key = read_key(entry.get_object());
        if (!key) {
            return fail(key.error());
        }
        if (*key) {
            set.keys_.push_back(std::move(**key));
        }
    }
    return set;
}

std::vector<VerificationKey const*> JwkSet::candidates(
    std::optional<std::string> const& kid) const {
    std::vector<VerificationKey const*> out;
    if (!kid) {
        if (keys_.size() == 1) {
            out.push_back(&keys_.front());
        }
        return out;
    }
    for (auto const& key : keys_) {
        if (key.kid == *kid && out.size() < tries_max) {
            out.push_back(&key);
        }
    }
    return out;
}

Result<UnverifiedJws> parse_jws(std::string_view compact) {
    if (compact.size() > jws_bytes_max) {
        return bad_token("The id_token is longer than 16 KiB.");
    }
    auto const first = compact.find('.');
    auto const second = first == std::string_view::npos ? first : compact.find('.', first + 1);
    if (second == std::string_view::npos ||
        compact.find('.', second + 1) != std::string_view::npos) {
        return bad_token("The id_token does not have three parts.");
    }
    auto const header = base64url_decode(compact.substr(0, first));
    auto payload = base64url_decode(compact.substr(first + 1, second - first - 1));
    auto signature = base64url_decode(compact.substr(second + 1));
    if (!header || !payload || !signature) {
        return bad_token("The id_token is not base64url.");
    }
    auto kid = read_header(*header);
    if (!kid) {
        return fail(kid.error());
    }
    return UnverifiedJws{std::move(*kid), std::string(compact.substr(0, second)),
                         std::move(*signature), std::move(*payload)};
}

Result<json::object> verify_jws(UnverifiedJws const& jws, JwkSet const& keys) {
    auto const candidates = keys.candidates(jws.kid);
    if (candidates.empty()) {
        return fail(ErrorCode::id_token_key_unknown, "No published key fits the id_token.");
    }
    bool const genuine =
        std::ranges::any_of(candidates, [&](auto const* key) { return fits(*key, jws); });
    if (!genuine) {
        return fail(ErrorCode::id_token_signature, "The id_token's signature is wrong.");
    }
    auto parsed = parse_json(jws.payload);
    if (!parsed || !parsed->is_object()) {
        return bad_token("The id_token's claims are not a JSON object.");
    }
    return std::move(parsed->get_object());
}

}  // namespace brickgate
