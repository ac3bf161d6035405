// SPDX-License-Identifier: Apache-2.0
#include "oauth/principal_credential.h"

#include <algorithm>
#include <string>
#include <utility>

namespace brickgate {

namespace {

constexpr std::string_view magic = "service-principal/1\n";
constexpr std::size_t client_id_bytes_max = 128;  // an application id is a UUID

bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

Result<void> check_secret(Secret const& secret) {
    bool const fine = secret.expose([](std::string_view text) {
        return !text.empty() && text.size() <= PrincipalCredential::secret_bytes_max &&
               is_visible(text);
    });
    if (!fine) {
        return fail(ErrorCode::invalid_request,
                    "client_secret is the secret of the service principal, without spaces.");
    }
    return {};
}

}  // namespace

Result<PrincipalCredential> PrincipalCredential::of(std::string_view client_id, Secret secret) {
    if (client_id.empty() || client_id.size() > client_id_bytes_max || !is_visible(client_id)) {
        return fail(ErrorCode::invalid_request,
                    "client_id is the application id of the service principal.");
    }
    PrincipalCredential out;
    out.client_id_ = ClientId(std::string(client_id));
    if (auto const added = out.add(std::move(secret)); !added) {
        return fail(added.error());
    }
    return out;
}

Result<PrincipalCredential> PrincipalCredential::unpack(RefreshToken const& packed) {
    return packed.expose([](std::string_view text) -> Result<PrincipalCredential> {
        auto const broken = [] {
            return fail(ErrorCode::vault_error, "The row holds no service principal's secret.");
        };
        if (!text.starts_with(magic)) {
            return broken();
        }
        text.remove_prefix(magic.size());
        PrincipalCredential out;
        auto const line = [&text] {
            auto const end = std::min(text.find('\n'), text.size());
            auto const first = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            return first;
        };
        out.client_id_ = ClientId(std::string(line()));
        while (!text.empty() && out.secrets_.size() < secrets_max) {
            out.secrets_.push_back(Secret::copy_of(line()));
        }
        if (out.client_id_.value().empty() || out.secrets_.empty() || !text.empty()) {
            return broken();
        }
        return out;
    });
}

RefreshToken PrincipalCredential::pack() const {
    std::size_t size = magic.size() + client_id_.value().size() + 1;
    for (Secret const& secret : secrets_) {
        size += secret.size() + 1;
    }
    std::string text;
    text.reserve(size);  // so that no copy of the secret is left behind by a growing string
    text.append(magic).append(client_id_.value());
    for (Secret const& secret : secrets_) {
        secret.expose([&](std::string_view plain) { text.append("\n").append(plain); });
    }
    return RefreshToken(Secret::from(std::move(text)));
}

Result<void> PrincipalCredential::add(Secret secret) {
    if (auto const fine = check_secret(secret); !fine) {
        return fine;
    }
    secrets_.insert(secrets_.begin(), std::move(secret));
    if (secrets_.size() > secrets_max) {
        secrets_.pop_back();
    }
    return {};
}

void PrincipalCredential::keep_only(std::size_t index) {
    if (index < secrets_.size()) {
        std::swap(secrets_.front(), secrets_[index]);
        secrets_.resize(1);
    }
}

ClientAuthentication PrincipalCredential::authentication(std::size_t index) const {
    return {ClientAuthentication::Method::client_secret_basic, client_id_,
            secrets_[std::min(index, secrets_.size() - 1)].clone()};
}

void PrincipalCredential::prefer(std::size_t index) {
    if (index < secrets_.size()) {
        std::swap(secrets_.front(), secrets_[index]);
    }
}

}  // namespace brickgate
