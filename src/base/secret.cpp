// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <sodium.h>

#include <cstring>

namespace brickgate {

Secret Secret::zeros(std::size_t size) {
    Secret secret;
    secret.data_ = std::make_unique<char[]>(size);
    secret.size_ = size;
    return secret;
}

Secret Secret::copy_of(std::string_view plain) {
    Secret secret = zeros(plain.size());
    if (!plain.empty()) {
        std::memcpy(secret.data_.get(), plain.data(), plain.size());
    }
    return secret;
}

Secret Secret::from(std::string&& plain) {
    Secret secret = copy_of(plain);
    brickgate::wipe(plain);
    return secret;
}

Secret Secret::from(std::span<std::byte> plain) {
    Secret secret = copy_of({reinterpret_cast<char const*>(plain.data()), plain.size()});
    sodium_memzero(plain.data(), plain.size());
    return secret;
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe();
        data_ = std::move(other.data_);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

Secret::~Secret() {
    wipe();
}

Secret Secret::clone() const {
    return copy_of({data_.get(), size_});
}

bool Secret::ct_equal(Secret const& other) const {
    return ct_equal({other.data_.get(), other.size_});
}

bool Secret::ct_equal(std::string_view other) const {
    return size_ == other.size() &&
           (size_ == 0 || sodium_memcmp(data_.get(), other.data(), size_) == 0);
}

void Secret::wipe() noexcept {
    if (data_) {
        sodium_memzero(data_.get(), size_);
    }
    data_.reset();
    size_ = 0;
}

void wipe(std::string& text) noexcept {
    text.resize(text.capacity());
    sodium_memzero(text.data(), text.size());
    text.clear();
}

}  // namespace brickgate
