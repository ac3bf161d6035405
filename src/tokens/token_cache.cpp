// SPDX-License-Identifier: Apache-2.0
#include "tokens/token_cache.h"

#include <openssl/evp.h>

#include <cstring>

namespace brickgate {

namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;

struct ContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// Fetched once: EVP_aes_256_gcm() looks the cipher up at every use, which costs as much as the
// decryption.
EVP_CIPHER const* aes_256_gcm() {
    static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    return cipher;
}

// A context each thread, so that neither locks nor allocations are on the hot path. Only the key
// schedule is kept in it, and only until another cache's key is set.
struct ThreadContext {
    Context context{EVP_CIPHER_CTX_new()};
    std::uint64_t keyed_for = 0;  // serial of the cache whose key is scheduled
    std::string plain;
    ~ThreadContext() { wipe(plain); }
};

ThreadContext& thread_context(bool sealing) {
    thread_local ThreadContext opener;
    thread_local ThreadContext sealer;
    return sealing ? sealer : opener;
}

std::uint64_t next_serial() {
    static std::atomic<std::uint64_t> last = 0;
    return ++last;
}

unsigned char const* bytes_of(std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

}  // namespace

struct TokenCache::Entry {
    CachedToken token;
    std::string sealed;  // nonce, ciphertext, tag
};

struct TokenCache::Shard {
    std::mutex mutex;
    std::unordered_map<ConnectionId, std::shared_ptr<Entry const>> entries;
    std::unordered_map<ConnectionId, std::uint64_t> ended;  // the family that was
};

TokenCache::TokenCache(Random& random, RefreshPolicy policy)
    : policy_(policy), key_(Secret::zeros(32)), serial_(next_serial()) {
    key_.write([&](std::span<char> out) { random.fill(std::as_writable_bytes(out)); });
    nonce_prefix_ = random.bytes(nonce_bytes - sizeof(std::uint64_t));
    for (auto& shard : shards_) {
        shard = std::make_unique<Shard>();
    }
}

TokenCache::~TokenCache() = default;

TokenCache::Shard& TokenCache::shard_of(ConnectionId const& id) {
    return *shards_[std::hash<ConnectionId>{}(id) % shards_.size()];
}

std::shared_ptr<TokenCache::Entry const> TokenCache::find(ConnectionId const& id) {
    Shard& shard = shard_of(id);
    std::scoped_lock const lock(shard.mutex);
    auto const found = shard.entries.find(id);
    return found == shard.entries.end() ? nullptr : found->second;
}

void TokenCache::put(ConnectionId const& id, CachedToken token, Secret const& access_token) {
    auto entry = std::make_shared<Entry>();
    entry->token = std::move(token);
    entry->sealed = seal(id, access_token);
    if (replace(id, std::move(entry))) {
        tell(id);
    }
}

bool TokenCache::replace(ConnectionId const& id, std::shared_ptr<Entry> entry) {
    Shard& shard = shard_of(id);
    std::scoped_lock const lock(shard.mutex);
    auto const ended = shard.ended.find(id);
    if (ended != shard.ended.end() && entry->token.family <= ended->second) {
        return false;
    }
    auto& slot = shard.entries[id];
    bool newer = true;
    if (slot) {
        auto const& held = slot->token;
        auto const order = std::pair(entry->token.family, entry->token.generation) <=>
                           std::pair(held.family, held.generation);
        if (order < 0) {
            return false;
        }
        newer = order > 0;
    } else {
        size_.fetch_add(1, std::memory_order_relaxed);
    }
    slot = std::move(entry);
    return newer;
}

void TokenCache::forget(ConnectionId const& id) {
    {
        Shard& shard = shard_of(id);
        std::scoped_lock const lock(shard.mutex);
        if (shard.entries.erase(id) > 0) {
            size_.fetch_sub(1, std::memory_order_relaxed);
        }
    }
    tell(id);
}

void TokenCache::tell(ConnectionId const& id) const {
    if (tell_) {
        tell_(id);
    }
}

void TokenCache::end(ConnectionId const& id, std::uint64_t family) {
    {
        Shard& shard = shard_of(id);
        std::scoped_lock const lock(shard.mutex);
        shard.ended[id] = family;
    }
    forget(id);
}

std::optional<CachedToken> TokenCache::peek(ConnectionId const& id) {
    auto const entry = find(id);
    if (!entry) {
        return std::nullopt;
    }
    return entry->token;
}

bool TokenCache::use(ConnectionId const& id, Time now, Seconds min_valid, See see) {
    auto const entry = find(id);
    if (!entry) {
        return false;
    }
    auto const& token = entry->token;
    Milliseconds const needed = policy_.least_life(token.issued_at, token.expires_at, min_valid);
    if (token.expires_at - now < std::max(needed, Milliseconds(1))) {
        return false;
    }
    return open(id, *entry, see);
}

bool TokenCache::use_any_valid(ConnectionId const& id, Time now, See see) {
    auto const entry = find(id);
    if (!entry) {
        return false;
    }
    auto const& token = entry->token;
    if (token.expires_at - now <= policy_.last_use(token.issued_at, token.expires_at)) {
        return false;
    }
    return open(id, *entry, see);
}

std::string TokenCache::seal(ConnectionId const& id, Secret const& access_token) {
    auto& own = thread_context(true);
    std::uint64_t const count = nonce_counter_.fetch_add(1, std::memory_order_relaxed);
    std::string out(nonce_bytes + access_token.size() + tag_bytes, '\0');
    std::memcpy(out.data(), nonce_prefix_.data(), nonce_prefix_.size());
    std::memcpy(out.data() + nonce_prefix_.size(), &count, sizeof(count));
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    auto* const context = own.context.get();
    int written = 0;
    key_.expose([&](std::string_view key) {
        EVP_EncryptInit_ex2(context, aes_256_gcm(), bytes_of(key), bytes, nullptr);
    });
    EVP_EncryptUpdate(context, nullptr, &written, bytes_of(id.value()),
                      static_cast<int>(id.value().size()));
    access_token.expose([&](std::string_view plain) {
        EVP_EncryptUpdate(context, bytes + nonce_bytes, &written, bytes_of(plain),
                          static_cast<int>(plain.size()));
    });
    EVP_EncryptFinal_ex(context, bytes + nonce_bytes + written, &written);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_bytes,
                        bytes + nonce_bytes + access_token.size());
    return out;
}

bool TokenCache::open(ConnectionId const& id, Entry const& entry, See see) {
    auto& own = thread_context(false);
    auto* const context = own.context.get();
    std::string const& sealed = entry.sealed;
    std::size_t const size = sealed.size() - nonce_bytes - tag_bytes;
    auto const* const bytes = bytes_of(sealed);
    int written = 0;
    if (own.keyed_for != serial_) {
        key_.expose([&](std::string_view key) {
            EVP_DecryptInit_ex2(context, aes_256_gcm(), bytes_of(key), nullptr, nullptr);
        });
        own.keyed_for = serial_;
    }
    EVP_DecryptInit_ex2(context, nullptr, nullptr, bytes, nullptr);
    EVP_DecryptUpdate(context, nullptr, &written, bytes_of(id.value()),
                      static_cast<int>(id.value().size()));
    own.plain.resize(size);
    auto* const plain = reinterpret_cast<unsigned char*>(own.plain.data());
    EVP_DecryptUpdate(context, plain, &written, bytes + nonce_bytes, static_cast<int>(size));
    // OpenSSL 3.0 takes the tag as a mutable pointer but only reads it.
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_bytes,
                        const_cast<unsigned char*>(bytes + nonce_bytes + size));
    bool const genuine = EVP_DecryptFinal_ex(context, plain + written, &written) > 0;
    if (genuine) {
        see(entry.token, std::string_view(own.plain.data(), size));
    }
    OPENSSL_cleanse(own.plain.data(), own.plain.size());
    return genuine;
}

}  // namespace brickgate
