// SPDX-License-Identifier: Apache-2.0
#include "vault/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace brickgate {

namespace {

// NFS, SMB, CIFS, SMB2, Ceph, AFS, Lustre, GPFS, 9p: file locks there are promises of somebody
// else's, and SQLite's shared memory does not work (T70).
constexpr std::array<long, 9> network_file_systems{0x6969,      0x517B,      0xFF534D42L,
                                                   0xFE534D42L, 0x00C36400L, 0x5346414FL,
                                                   0x0BD00BD0L, 0x47504653L, 0x01021997L};

std::unexpected<Error> invalid(std::filesystem::path const& path, std::string_view why) {
    return fail(ErrorCode::data_folder_invalid,
                "The data folder " + path.string() + " " + std::string(why));
}

std::string read_small(int fd) {
    std::array<char, 64> text{};
    ssize_t const size = pread(fd, text.data(), text.size(), 0);
    std::string out(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    while (!out.empty() && out.back() == '\n') {
        out.pop_back();
    }
    return out;
}

Result<void> check_folder(std::filesystem::path const& path) {
    std::error_code ec;
    std::filesystem::create_directories(path.parent_path(), ec);
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return invalid(path, "cannot be made.");
    }
    struct stat about{};
    if (lstat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
        return invalid(path, "is not a folder.");
    }
    if (about.st_uid != geteuid()) {
        return invalid(path, "belongs to another user.");
    }
    if ((about.st_mode & 0077) != 0) {
        return invalid(path, "is open to others: chmod 700 it.");
    }
    struct statfs system{};
    if (statfs(path.c_str(), &system) == 0 &&
        std::ranges::find(network_file_systems, static_cast<long>(system.f_type)) !=
            network_file_systems.end()) {
        return invalid(path, "is on a network file system: choose a local one.");
    }
    return {};
}

Result<std::string> stable_name(std::filesystem::path const& file, Random& random) {
    int const fd = open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return invalid(file, "cannot be written.");
    }
    std::string name = read_small(fd);
    bool written = true;
    if (name.empty()) {
        name = "node_" + random.hex(8);
        std::string const line = name + "\n";
        written = pwrite(fd, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size()) &&
                  fsync(fd) == 0;
    }
    close(fd);
    if (!written) {
        return invalid(file, "cannot be written.");
    }
    return name;
}

// With links above it resolved, since SQLite refuses any link in the names it is given.
Result<std::filesystem::path> settle(std::filesystem::path path) {
    if (path.empty()) {
        return fail(ErrorCode::data_folder_invalid, "No data folder was named.");
    }
    path = std::filesystem::absolute(path).lexically_normal();
    if (!path.has_filename()) {
        path = path.parent_path();  // "data/" is "data"
    }
    if (auto const checked = check_folder(path); !checked) {
        return fail(checked.error());
    }
    std::error_code ec;
    auto settled = std::filesystem::canonical(path, ec);
    if (ec) {
        return invalid(path, "cannot be reached.");
    }
    return settled;
}

}  // namespace

Result<std::unique_ptr<DataFolder>> DataFolder::open(std::filesystem::path wanted, Random& random) {
    auto settled = settle(std::move(wanted));
    if (!settled) {
        return fail(settled.error());
    }
    std::filesystem::path path = std::move(*settled);
    std::unique_ptr<DataFolder> folder(new DataFolder);
    folder->lock_ =
        ::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (folder->lock_ < 0) {
        return invalid(path, "cannot be locked.");
    }
    if (flock(folder->lock_, LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::in_use, "The data folder " + path.string() +
                                           " is in use by process " + read_small(folder->lock_) +
                                           ".");
    }
    std::string const pid = std::to_string(getpid()) + "\n";
    if (ftruncate(folder->lock_, 0) != 0 || pwrite(folder->lock_, pid.data(), pid.size(), 0) < 0) {
        return invalid(path, "cannot be written.");
    }
    auto node = stable_name(path / "node", random);
    if (!node) {
        return fail(node.error());
    }
    folder->path_ = std::move(path);
    folder->node_ = std::move(*node);
    folder->boot_ = random.hex(8);
    return folder;
}

DataFolder::~DataFolder() {
    if (lock_ >= 0) {
        close(lock_);
    }
}

}  // namespace brickgate
