// SPDX-License-Identifier: Apache-2.0
#include "vault/spool_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace brickgate::spool {

namespace {

namespace fs = std::filesystem;

std::unexpected<Error> invalid(fs::path const& path, std::string_view why) {
    return fail(ErrorCode::data_folder_invalid, path.string() + " " + std::string(why));
}

void sync_folder(fs::path const& folder) {
    int const fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

}  // namespace

std::unexpected<Error> full(std::string_view why) {
    return fail(Error(ErrorCode::spool_full, "There is no room to keep a new token safe.")
                    .with_detail(why));
}

Result<void> prepare_folder(fs::path const& folder) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return invalid(folder, "cannot be made.");
    }
    struct stat about{};
    if (lstat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
        return invalid(folder, "is not a folder.");
    }
    if (about.st_uid != geteuid()) {
        return invalid(folder, "belongs to another user.");
    }
    if ((about.st_mode & 0077) != 0) {
        return invalid(folder, "is open to others: chmod 700 it.");
    }
    return {};
}

Result<std::vector<fs::path>> list_segments(fs::path const& folder) {
    std::error_code ec;
    std::vector<fs::path> found;
    for (auto const& entry : fs::directory_iterator(folder, ec)) {
        auto const stem = entry.path().stem().string();
        if (entry.path().extension() == ".segment" && stem.size() == 16 &&
            std::ranges::all_of(stem, [](char c) { return c >= '0' && c <= '9'; })) {
            found.push_back(entry.path());
        }
    }
    if (ec) {
        return invalid(folder, "cannot be read.");
    }
    std::ranges::sort(found);
    return found;
}

Result<std::string> read_whole(fs::path const& path) {
    int const fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about{};
    bool const plain = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    std::string text(plain ? static_cast<std::size_t>(about.st_size) : 0, '\0');
    std::size_t got = 0;
    while (got < text.size()) {
        ssize_t const part =
            pread(fd, text.data() + got, text.size() - got, static_cast<off_t>(got));
        if (part <= 0) {
            break;
        }
        got += static_cast<std::size_t>(part);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!plain) {
        return invalid(path, "is a link or not a plain file: it is not ours.");
    }
    if (got < text.size()) {
        return invalid(path, "cannot be read to its end.");
    }
    return text;
}

void keep_copy_of_damaged(std::filesystem::path const& segment, std::size_t entries) {
    auto kept = segment;
    kept.replace_extension(".damaged");
    std::error_code ignored;
    std::filesystem::copy_file(segment, kept, std::filesystem::copy_options::skip_existing,
                               ignored);
    log(LogLevel::error, "spool_damaged",
        "A spool segment has entries that are not as they were written; a copy is kept.",
        {{"file", kept.filename().string()}, {"entries", entries}});
}

Result<std::unique_ptr<SegmentFile>> SegmentFile::make(fs::path path, std::size_t bytes) {
    int const fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return full(std::strerror(errno));
    }
    // Space that is promised before a claim must really be there when the answer comes.
    int const refused = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
    if (refused != 0 || fsync(fd) != 0) {
        close(fd);
        unlink(path.c_str());
        return full(refused != 0 ? std::strerror(refused) : "the disk does not confirm a write");
    }
    sync_folder(path.parent_path());
    return std::unique_ptr<SegmentFile>(new SegmentFile(std::move(path), fd, bytes));
}

SegmentFile::~SegmentFile() {
    close(fd_);
}

bool SegmentFile::write(std::string_view bytes) {
    if (bytes.size() > room()) {
        return false;
    }
    ssize_t const done = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(used_));
    if (done != static_cast<ssize_t>(bytes.size())) {
        return false;
    }
    used_ += bytes.size();
    return true;
}

bool SegmentFile::sync() {
    return fdatasync(fd_) == 0;
}

}  // namespace brickgate::spool
