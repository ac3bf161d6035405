// SPDX-License-Identifier: Apache-2.0
#include "cli/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace brickgate::cli {

namespace {

std::unexpected<std::string> cannot(std::string const& path, int reason) {
    return std::unexpected(path + " cannot be written: " + std::generic_category().message(reason) +
                           ".");
}

// Gone with its scope, unless it was renamed; so is the name that nobody else would remove.
class Draft {
 public:
    explicit Draft(std::string const& beside)
        : name_(beside + ".XXXXXX"), fd_(mkostemp(name_.data(), O_CLOEXEC)) {}
    ~Draft() {
        if (fd_ >= 0) {
            close(fd_);
        }
        if (!name_.empty()) {
            unlink(name_.c_str());
        }
    }
    Draft(Draft const&) = delete;
    Draft& operator=(Draft const&) = delete;

    bool made() {
        if (fd_ < 0) {
            name_.clear();
        }
        return fd_ >= 0;
    }
    bool take(std::string_view text) const {
        while (!text.empty()) {
            ssize_t const written = write(fd_, text.data(), text.size());
            if (written < 0 && errno != EINTR) {
                return false;
            }
            text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
        return fsync(fd_) == 0;
    }
    bool become(std::string const& path) {
        bool const renamed = rename(name_.c_str(), path.c_str()) == 0;
        if (renamed) {
            name_.clear();
        }
        return renamed;
    }

 private:
    std::string name_;
    int fd_;
};

// The new name is on the disk too. What cannot be synced is a folder that has no such notion.
void sync_folder_of(std::string const& path) {
    auto const parent = std::filesystem::path(path).parent_path();
    int const fd = open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

}  // namespace

std::expected<void, std::string> replace_private_file(std::string const& path,
                                                      std::string_view text) {
    struct stat about{};
    bool const there = lstat(path.c_str(), &about) == 0;
    if (there && !S_ISREG(about.st_mode) && !S_ISLNK(about.st_mode)) {
        return std::unexpected(path + " is not a file: a folder or a device is never replaced.");
    }
    Draft draft(path);  // mode 0600
    if (!draft.made() || !draft.take(text) || !draft.become(path)) {
        return cannot(path, errno);
    }
    sync_folder_of(path);
    return {};
}

}  // namespace brickgate::cli
