// SPDX-License-Identifier: Apache-2.0
#include "vault/root_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/encoding.h"
#include "vault/key_arena.h"

namespace brickgate {

namespace {

constexpr std::string_view root_prefix = "rk1:";
constexpr std::size_t file_bytes_max = 4096;  // some eighty keys; two are usual
constexpr std::string_view root_file = "The root key file";

std::unexpected<Error> bad_file(std::string_view what, std::filesystem::path const& path,
                                std::string_view why) {
    return fail(ErrorCode::root_key_invalid,
                std::string(what) + " " + path.string() + " " + std::string(why));
}

bool move_unless_there(std::string const& from, std::filesystem::path const& to) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    bool const not_offered_here = errno == EINVAL || errno == ENOSYS;
    return not_offered_here && rename(from.c_str(), to.c_str()) == 0;
}

bool sync_folder_of(std::filesystem::path const& path) {
    auto const parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    int const folder = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool const kept = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) {
        close(folder);
    }
    return kept;
}

// Written beside its place, synced and moved there, so that a crash leaves no half key behind.
bool write_file(std::filesystem::path const& path, Secret const& text, bool replace) {
    auto const draft = path.string() + ".new";
    unlink(draft.c_str());
    int const fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (fd < 0) {
        return false;
    }
    bool const written = text.expose([&](std::string_view bytes) {
        return write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    }) && fsync(fd) == 0;
    close(fd);
    bool const moved = written && (replace ? rename(draft.c_str(), path.c_str()) == 0
                                           : move_unless_there(draft, path));
    if (!moved) {
        unlink(draft.c_str());
        return false;
    }
    return sync_folder_of(path);
}

Secret lines_of(std::vector<Secret> const& keys) {
    std::string text;
    text.reserve(keys.size() * 64);  // never grown: a grown text leaves a copy behind
    for (auto const& key : keys) {
        key.expose([&](std::string_view bytes) {
            std::string line = base64_encode(bytes);
            text.append(root_prefix).append(line).append("\n");
            wipe(line);
        });
    }
    return Secret::from(std::move(text));
}

Result<RootKeyFile> make_root_key_file(std::filesystem::path const& path, Random& random) {
    RootKeyFile out;
    out.keys.push_back(Secret::from(random.bytes(KeyArena::key_bytes)));
    out.made = true;
    if (!write_file(path, lines_of(out.keys), false)) {
        return bad_file(root_file, path, "cannot be made: is its folder there and writable?");
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

Result<std::optional<Secret>> read_private_file(std::filesystem::path const& path,
                                                std::string_view what) {
    int const fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return std::nullopt;
    }
    if (fd < 0) {
        return bad_file(
            what, path,
            errno == ELOOP ? "is a symbolic link, which is refused." : "cannot be read.");
    }
    if (auto const fault = fault_of_file(fd)) {
        close(fd);
        return bad_file(what, path, *fault);
    }
    std::string text(file_bytes_max, '\0');
    ssize_t const size = read(fd, text.data(), text.size());
    close(fd);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return Secret::from(std::move(text));
}

Result<RootKeyFile> load_root_key_file(std::filesystem::path const& path, Random& random) {
    auto text = read_private_file(path, root_file);
    if (!text) {
        return fail(std::move(text.error()));
    }
    if (!*text) {
        return make_root_key_file(path, random);
    }
    RootKeyFile out;
    auto keys = (*text)->expose([](std::string_view lines) { return parse_root_keys(lines); });
    if (!keys) {
        return bad_file(root_file, path, "does not hold a root key: " + keys.error().message());
    }
    out.keys = std::move(*keys);
    return out;
}

Result<void> replace_root_key_file(std::filesystem::path const& path,
                                   std::vector<Secret> const& keys) {
    if (!write_file(path, lines_of(keys), true)) {
        return bad_file(root_file, path, "cannot be written: is its folder writable?");
    }
    return {};
}

}  // namespace brickgate
