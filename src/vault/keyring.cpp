// SPDX-License-Identifier: Apache-2.0
#include "vault/keyring.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "vault/record.h"

namespace brickgate {

namespace {

constexpr std::string_view root_prefix = "rk1:";
constexpr std::array<std::string_view, 2> purposes{"token", "login"};
constexpr std::string_view meta_mac = "ring_mac";
constexpr std::string_view meta_version = "ring_version";

Secret derive(Secret const& root, std::string_view context) {  // contexts have 8 characters
    Secret out = Secret::zeros(KeyArena::key_bytes);
    root.expose([&](std::string_view key) {
        out.write([&](std::span<char> bytes) {
            crypto_kdf_derive_from_key(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       1, context.data(),
                                       reinterpret_cast<unsigned char const*>(key.data()));
        });
    });
    return out;
}

std::uint32_t id_of_root(Secret const& root) {
    std::array<unsigned char, 16> hash{};
    static constexpr std::string_view label = "brickgate-root-id";
    root.expose([&](std::string_view key) {
        crypto_generichash(hash.data(), hash.size(),
                           reinterpret_cast<unsigned char const*>(label.data()), label.size(),
                           reinterpret_cast<unsigned char const*>(key.data()), key.size());
    });
    return static_cast<std::uint32_t>(hash[0]) << 24 | static_cast<std::uint32_t>(hash[1]) << 16 |
           static_cast<std::uint32_t>(hash[2]) << 8 | hash[3];
}

std::string hex_id(std::uint32_t id) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes += static_cast<char>(id >> shift & 0xFF);
    }
    return hex_encode(bytes);
}

AssociatedData place_of(KeyRow const& row) {
    AssociatedData out("brickgate/dek/v1");
    out.number(row.id)
        .field(row.purpose)
        .number(static_cast<std::uint64_t>(to_ms(row.created_at)))
        .number(row.root_id);
    return out;
}

// Neither XChaCha20-Poly1305 nor its kin commits to a key; this does (C.4).
std::string commitment_of(Secret const& key, std::uint32_t id) {
    Secret const commit_key = derive(key, "bgcommit");
    return commit_key.expose([&](std::string_view bytes) {
        return keyed_hash(reinterpret_cast<unsigned char const*>(bytes.data()),
                          {"brickgate/commit/v1", hex_id(id)}, 32);
    });
}

std::unexpected<Error> bad_file(std::filesystem::path const& path, std::string_view why) {
    return fail(ErrorCode::root_key_invalid,
                "The root key file " + path.string() + " " + std::string(why));
}

Result<RootKeyFile> make_root_key_file(std::filesystem::path const& path, Random& random) {
    int const fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (fd < 0) {
        return bad_file(path, "cannot be made: is its folder there and writable?");
    }
    std::string raw = random.bytes(KeyArena::key_bytes);
    std::string line = std::string(root_prefix) + base64_encode(raw) + '\n';
    bool const written =
        write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && fsync(fd) == 0;
    close(fd);
    wipe(line);
    RootKeyFile out;
    out.keys.push_back(Secret::from(std::move(raw)));
    out.made = true;
    if (!written) {
        return bad_file(path, "could not be written.");
    }
    return out;
}

}  // namespace

Result<std::vector<Secret>> parse_root_keys(std::string_view text) {
    std::vector<Secret> keys;
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (line.empty()) {
            continue;
        }
        auto bytes = line.starts_with(root_prefix) ? base64_decode(line.substr(root_prefix.size()))
                                                   : std::nullopt;
        if (!bytes || bytes->size() != KeyArena::key_bytes) {
            return fail(ErrorCode::root_key_invalid,
                        "A root key is a line of rk1: and the base64 of 32 bytes.");
        }
        keys.push_back(Secret::from(std::move(*bytes)));
    }
    if (keys.empty()) {
        return fail(ErrorCode::root_key_invalid, "There is no root key.");
    }
    return keys;
}

Result<RootKeyFile> load_root_key_file(std::filesystem::path const& path, Random& random) {
    int const fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return make_root_key_file(path, random);
    }
    if (fd < 0) {
        return bad_file(
            path, errno == ELOOP ? "is a symbolic link, which is refused." : "cannot be read.");
    }
    struct stat about{};
    fstat(fd, &about);
    std::string text(4096, '\0');
    ssize_t const size = read(fd, text.data(), text.size());
    close(fd);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    RootKeyFile out;
    if (!S_ISREG(about.st_mode) || about.st_nlink != 1) {
        return bad_file(path, "is not a plain file with one name.");
    }
    if (about.st_uid != geteuid()) {
        return bad_file(path, "belongs to another user.");
    }
    if ((about.st_mode & 0077) != 0) {
        return bad_file(path, "can be read by others: chmod 400 it.");
    }
    auto keys = parse_root_keys(text);
    wipe(text);
    if (!keys) {
        return bad_file(path, "does not hold a root key: " + keys.error().message());
    }
    out.keys = std::move(*keys);
    return out;
}

Result<void> Keyring::adopt_roots(std::vector<Secret> root_keys) {
    for (auto const& root : root_keys) {
        roots_.push_back({id_of_root(root), arena_.add(derive(root, "bgwrap__"))});
    }
    Secret const& current = root_keys.front();
    ring_ = arena_.add(derive(current, "bgring__"));
    index_ = arena_.add(derive(current, "bgindex_"));
    api_ = arena_.add(derive(current, "bgapikey"));
    spool_ = arena_.add(derive(current, "bgspool_"));
    return {};
}

Result<KeyRow> Keyring::make_key(std::uint32_t id, std::string const& purpose, Time now,
                                 Random& random) {
    KeyRow row;
    row.id = id;
    row.purpose = purpose;
    row.state = "active";
    row.root_id = roots_.front().id;
    row.created_at = now;
    Secret const key = Secret::from(random.bytes(KeyArena::key_bytes));
    row.wrapped = seal_record(SealedKind::data_key, key, id, roots_.front().wrap,
                              random.bytes(record_nonce_bytes), place_of(row));
    row.commitment = commitment_of(key, id);
    return row;
}

Result<void> Keyring::unwrap_all(std::vector<KeyRow> const& rows) {
    for (auto const& row : rows) {
        if (row.state == "destroyed") {
            continue;
        }
        auto const root = std::ranges::find(roots_, row.root_id, &Root::id);
        if (root == roots_.end()) {
            return fail(ErrorCode::root_key_invalid, "This data folder needs the root key " +
                                                         hex_id(row.root_id) +
                                                         "; the one given is " + root_id() + ".");
        }
        auto const key = open_record(SealedKind::data_key, row.wrapped, root->wrap, place_of(row));
        if (!key || key->size() != KeyArena::key_bytes ||
            commitment_of(*key, row.id) != row.commitment) {
            return fail(ErrorCode::keyring_invalid,
                        "The key ring was changed: a data key does not open.");
        }
        keys_[row.id] = {row.id, row.purpose, row.state, arena_.add(*key)};
    }
    return {};
}

std::string Keyring::ring_mac(std::vector<KeyRow> const& rows, std::string const& version) const {
    std::string all = std::to_string(rows.size());
    for (auto const& row : rows) {
        AssociatedData fields("row");
        fields.number(row.id)
            .field(row.purpose)
            .field(row.state)
            .number(row.root_id)
            .field(row.wrapped)
            .field(row.commitment)
            .number(static_cast<std::uint64_t>(to_ms(row.created_at)));
        all += fields.bytes();
    }
    return hex_encode(keyed_hash(ring_, {version, all}, 32));
}

Result<std::unique_ptr<Keyring>> Keyring::open(std::vector<Secret> root_keys, Store& store,
                                               bool lock_required, Time now, Random& random) {
    std::unique_ptr<Keyring> ring(new Keyring);
    if (auto const opened = ring->arena_.open(lock_required); !opened) {
        return fail(opened.error());
    }
    if (auto const adopted = ring->adopt_roots(std::move(root_keys)); !adopted) {
        return fail(adopted.error());
    }
    StoreJob const job = [&](StoreTransaction& rows_of) -> Result<void> {
        auto rows = rows_of.list_keys();
        if (!rows) {
            return fail(rows.error());
        }
        std::ranges::sort(*rows, {}, &KeyRow::id);
        auto const version = rows_of.get_meta(std::string(meta_version));
        auto const mac = rows_of.get_meta(std::string(meta_mac));
        if (!version || !mac) {
            return fail(ErrorCode::store_unavailable, "The key ring cannot be read.");
        }
        if (auto const unwrapped = ring->unwrap_all(*rows); !unwrapped) {
            return unwrapped;
        }
        bool const fresh = rows->empty() && !*version && !*mac;
        if (!fresh && (!*version || !*mac || ring->ring_mac(*rows, **version) != **mac)) {
            return fail(ErrorCode::keyring_invalid,
                        "The key ring was changed: its seal does not fit.");
        }
        if (!fresh) {
            return {};
        }
        for (auto const purpose : purposes) {
            auto row = ring->make_key(static_cast<std::uint32_t>(rows->size() + 1),
                                      std::string(purpose), now, random);
            if (!row) {
                return fail(row.error());
            }
            if (auto const put = rows_of.put_key(*row); !put) {
                return put;
            }
            rows->push_back(std::move(*row));
        }
        if (auto const put = rows_of.put_meta(std::string(meta_version), "1"); !put) {
            return put;
        }
        if (auto const put = rows_of.put_meta(std::string(meta_mac), ring->ring_mac(*rows, "1"));
            !put) {
            return put;
        }
        return ring->unwrap_all(*rows);
    };
    if (auto const done = store.transact_one(job); !done) {
        return fail(done.error());
    }
    return ring;
}

Keyring::DataKey const* Keyring::active(std::string_view purpose) const {
    for (auto const& [id, key] : keys_) {
        if (key.purpose == purpose && key.state == "active") {
            return &key;
        }
    }
    return nullptr;
}

Keyring::DataKey const* Keyring::find(std::uint32_t id) const {
    auto const found = keys_.find(id);
    return found == keys_.end() ? nullptr : &found->second;
}

Secret Keyring::spool_key() const {
    return Secret::copy_of({reinterpret_cast<char const*>(spool_), KeyArena::key_bytes});
}

std::string Keyring::root_id() const {
    return hex_id(roots_.front().id);
}

}  // namespace brickgate
