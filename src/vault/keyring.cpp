// SPDX-License-Identifier: Apache-2.0
#include "vault/keyring.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/encoding.h"
#include "vault/record.h"

namespace brickgate {

namespace {

constexpr std::string_view root_prefix = "rk1:";
constexpr std::array<std::string_view, 2> purposes{"token", "login"};
constexpr std::string_view meta_mac = "ring_mac";
constexpr std::string_view meta_version = "ring_version";
constexpr std::size_t root_file_bytes_max = 4096;  // some eighty keys; two are usual

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
        .absent()  // the tenant: there is one key for all
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

bool move_unless_there(std::string const& from, std::filesystem::path const& to) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    bool const not_offered_here = errno == EINVAL || errno == ENOSYS;
    return not_offered_here && rename(from.c_str(), to.c_str()) == 0;
}

// Written beside its place, synced and moved there, so that a crash leaves no half key behind.
bool write_new_file(std::filesystem::path const& path, std::string_view text) {
    auto const draft = path.string() + ".new";
    unlink(draft.c_str());
    int const fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (fd < 0) {
        return false;
    }
    bool const written =
        write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
    close(fd);
    if (!written || !move_unless_there(draft, path)) {
        unlink(draft.c_str());
        return false;
    }
    auto const parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    int const folder = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool const kept = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) {
        close(folder);
    }
    return kept;
}

Result<RootKeyFile> make_root_key_file(std::filesystem::path const& path, Random& random) {
    std::string raw = random.bytes(KeyArena::key_bytes);
    std::string line = std::string(root_prefix) + base64_encode(raw) + '\n';
    bool const written = write_new_file(path, line);
    wipe(line);
    RootKeyFile out;
    out.keys.push_back(Secret::from(std::move(raw)));
    out.made = true;
    if (!written) {
        return bad_file(path, "cannot be made: is its folder there and writable?");
    }
    return out;
}

// Nothing is read from a file that others could have put there or could read.
std::optional<std::string_view> fault_of_file(int fd) {
    struct stat about{};
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink != 1) {
        return "is not a plain file with one name.";
    }
    if (about.st_uid != geteuid()) {
        return "belongs to another user.";
    }
    if ((about.st_mode & 0077) != 0) {
        return "can be read by others: chmod 400 it.";
    }
    return std::nullopt;
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
    int const fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return make_root_key_file(path, random);
    }
    if (fd < 0) {
        return bad_file(
            path, errno == ELOOP ? "is a symbolic link, which is refused." : "cannot be read.");
    }
    if (auto const fault = fault_of_file(fd)) {
        close(fd);
        return bad_file(path, *fault);
    }
    std::string text(root_file_bytes_max, '\0');
    ssize_t const size = read(fd, text.data(), text.size());
    close(fd);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    RootKeyFile out;
    auto keys = parse_root_keys(text);
    wipe(text);
    if (!keys) {
        return bad_file(path, "does not hold a root key: " + keys.error().message());
    }
    out.keys = std::move(*keys);
    return out;
}

void Keyring::adopt_roots(std::vector<Secret> root_keys) {
    for (auto const& root : root_keys) {
        roots_.push_back({id_of_root(root), arena_.add(derive(root, "bgwrap__"))});
    }
    Secret const& current = root_keys.front();
    ring_ = arena_.add(derive(current, "bgring__"));
    index_ = arena_.add(derive(current, "bgindex_"));
    api_ = arena_.add(derive(current, "bgapikey"));
    spool_ = arena_.add(derive(current, "bgspool_"));
}

KeyRow Keyring::make_key(std::uint32_t id, std::string const& purpose, Time now, Random& random) {
    KeyRow row;
    row.id = id;
    row.purpose = purpose;
    row.state = "active";
    row.root_id = roots_.front().id;
    row.created_at = now;
    Secret const key = Secret::from(random.bytes(KeyArena::key_bytes));
    row.wrapped = seal_record(SealedKind::data_key, key, row.root_id, roots_.front().wrap,
                              random.bytes(record_nonce_bytes), place_of(row));
    row.commitment = commitment_of(key, id);
    return row;
}

// The commonest fault first, in words that help: the wrong root key.
Result<void> Keyring::check_roots(std::vector<KeyRow> const& rows) const {
    for (auto const& row : rows) {
        if (row.state == "destroyed" || row.root_id == roots_.front().id) {
            continue;
        }
        if (std::ranges::find(roots_, row.root_id, &Root::id) != roots_.end()) {
            // Index, API key and spool keys hang on the first root: another first one would quietly
            // void them all.
            return fail(ErrorCode::root_key_invalid,
                        "This data folder is sealed under the root key " + hex_id(row.root_id) +
                            ": its line must come first.");
        }
        return fail(ErrorCode::root_key_invalid, "This data folder needs the root key " +
                                                     hex_id(row.root_id) + "; given was " +
                                                     root_ids() + ".");
    }
    return {};
}

Result<void> Keyring::unwrap_all(std::vector<KeyRow> const& rows) {
    for (auto const& row : rows) {
        if (row.state == "destroyed") {
            continue;
        }
        auto const key =
            open_record(SealedKind::data_key, row.wrapped, roots_.front().wrap, place_of(row));
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
        all += fields.bytes({});
    }
    return hex_encode(keyed_hash(ring_, {version, all}, 32));
}

Result<void> Keyring::load_or_make(StoreTransaction& store, Time now, Random& random) {
    auto rows = store.list_keys();
    auto const version = store.get_meta(std::string(meta_version));
    auto const mac = store.get_meta(std::string(meta_mac));
    if (!rows || !version || !mac) {
        return fail(ErrorCode::store_unavailable, "The key ring cannot be read.");
    }
    if (rows->empty() && !*version && !*mac) {
        return make_ring(store, now, random);
    }
    std::ranges::sort(*rows, {}, &KeyRow::id);
    if (auto const known = check_roots(*rows); !known) {
        return known;
    }
    if (!*version || !*mac || ring_mac(*rows, **version) != **mac) {
        return fail(ErrorCode::keyring_invalid, "The key ring was changed: its seal does not fit.");
    }
    return unwrap_all(*rows);
}

Result<void> Keyring::make_ring(StoreTransaction& store, Time now, Random& random) {
    auto const connections = store.count_by_state();
    if (!connections) {
        return fail(connections.error());
    }
    if (!connections->empty()) {
        return fail(ErrorCode::keyring_invalid,
                    "The key ring is gone, and there are connections that it sealed.");
    }
    std::vector<KeyRow> rows;
    for (auto const purpose : purposes) {
        rows.push_back(make_key(static_cast<std::uint32_t>(rows.size() + 1), std::string(purpose),
                                now, random));
        if (auto const put = store.put_key(rows.back()); !put) {
            return put;
        }
    }
    if (auto const put = store.put_meta(std::string(meta_version), "1"); !put) {
        return put;
    }
    if (auto const put = store.put_meta(std::string(meta_mac), ring_mac(rows, "1")); !put) {
        return put;
    }
    return unwrap_all(rows);
}

Result<std::unique_ptr<Keyring>> Keyring::open(std::vector<Secret> root_keys, Store& store,
                                               bool lock_required, Time now, Random& random) {
    if (root_keys.empty()) {
        return fail(ErrorCode::root_key_invalid, "There is no root key.");
    }
    std::unique_ptr<Keyring> ring(new Keyring);
    if (auto const opened = ring->arena_.open(lock_required); !opened) {
        return fail(opened.error());
    }
    ring->adopt_roots(std::move(root_keys));
    StoreJob const job = [&](StoreTransaction& rows) {
        return ring->load_or_make(rows, now, random);
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

std::string Keyring::root_ids() const {
    std::string out;
    for (auto const& root : roots_) {
        out += (out.empty() ? "" : ", ") + hex_id(root.id);
    }
    return out;
}

}  // namespace brickgate
